package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"testing"
)

// Module brings a Go module that this one does not depend on into the module cache and returns its folder there. It must
// have the sum, so that everybody runs the same code.
func Module(t testing.TB, module, sum string) string {
	t.Helper()
	folder, err := Download(t.Context(), ".", module, sum)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// Download is the same for programs; it runs in a folder of this module.
func Download(ctx context.Context, in, module, sum string) (string, error) {
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	download.Dir = in
	out, err := download.Output()
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %w", module, explained(err))
	}
	var found struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", err
	}
	if found.Sum != sum {
		return "", fmt.Errorf("%s has the sum %s, not %s", module, found.Sum, sum)
	}
	return found.Dir, nil
}

// explained adds what a program wrote to its error.
func explained(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	return err
}
