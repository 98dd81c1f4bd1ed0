package harness

import (
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
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module).Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v", module, explained(err))
	}
	var found struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	if found.Sum != sum {
		t.Fatalf("%s has the sum %s, not %s", module, found.Sum, sum)
	}
	return found.Dir
}

// explained adds what a program wrote to its error.
func explained(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	return err
}
