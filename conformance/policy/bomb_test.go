package policy

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// A module that takes the compiler long is cut at the limit that a flag sets, says so, and holds up no other.
func TestCompileBomb(t *testing.T) {
	s := harness.Start(t, "--policy-compile-limit", "2s")
	s.OK(fmt.Sprintf(`
apiVersion: policy.gatehouse.dev/v1alpha1
kind: PolicyModule
metadata: {name: bomb}
spec: {source: {inline: %s}}
`, packed(t, bomb())), "apply", "-f", "-")
	module := gatehouse(t, harness.Root(t)+"/policies", "policy", "manifest", "required-labels")
	bound(t, s, "required-labels", module)
	harness.Contains(t, s.Refused("", "create", "deployment", "web", "--image=nginx:1.29"), `policy "required-labels"`)
	// The compiler steps back behind everything else, so that its seconds of processor time may be minutes on the clock.
	for range 4 {
		if out, _, _ := s.Run("", "wait", "policymodule/bomb", "--for=jsonpath={.status.message}", "--timeout=60s"); out != "" {
			break
		}
	}
	message(t, s, "bomb", "compiling takes more than 2 s of processor time")
	if !s.Alive() {
		t.Error("the server is gone")
	}
}

// bomb is a component of nearly the largest size, with a core module of functions that are nothing but work for a compiler.
func bomb() []byte {
	const functions, branches = 60, 25_000
	var code []byte
	for range functions {
		body := []byte{1, 1, 0x7f} // one local
		for range branches {
			body = append(body, 0x20, 0, 0x41, 1, 0x6a, 0x22, 0, 0x04, 0x40, 0x0b) // x++; if x {}
		}
		body = append(body, 0x0b)
		code = append(append(code, number(len(body))...), body...)
	}
	declared := append(number(functions), bytes.Repeat([]byte{0}, functions)...)
	core := []byte("\x00asm\x01\x00\x00\x00")
	core = append(core, section(1, []byte{1, 0x60, 0, 0})...)
	core = append(core, section(3, declared)...)
	core = append(core, section(10, append(number(functions), code...))...)
	return append([]byte("\x00asm\x0d\x00\x01\x00"), section(1, core)...)
}

func section(id byte, content []byte) []byte {
	return append(append([]byte{id}, number(len(content))...), content...)
}

func number(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

// packed is how a component stands in an object.
func packed(t *testing.T, component []byte) string {
	t.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	if _, err := writer.Write(component); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}
