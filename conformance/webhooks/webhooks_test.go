package webhooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// TestCases compares what is seen of admission webhooks with what the real server shows, case by case.
func TestCases(t *testing.T) {
	recorded, err := os.ReadFile("answers.txt")
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	policy, tokens, log := filepath.Join(files, "policy.yaml"), filepath.Join(files, "tokens.csv"), filepath.Join(files, "audit.log")
	for path, text := range map[string]string{policy: AuditPolicy, tokens: Tokens} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hooks, err := Serve(Names()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hooks.Close)
	// Controllers would make objects of their own that webhooks are asked about; the real server runs without, too.
	server := harness.Start(t, "--controllers=-*", "--token-auth-file", tokens, "--audit-policy-file", policy, "--audit-log-path", log)
	stage, err := New(server.Config, hooks, log)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, part := range strings.Split("\n"+string(recorded), "\n== ")[1:] {
		name, _, _ := strings.Cut(part, "\n")
		want[name] = "== " + strings.TrimSuffix(part, "\n") + "\n"
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			got, err := stage.Play(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if want[c.Name] == "" {
				t.Fatal("the real server was never asked: cargo x record")
			}
			if got != want[c.Name] {
				t.Errorf("got\n%s\nwant\n%s", got, want[c.Name])
			}
		})
	}
}
