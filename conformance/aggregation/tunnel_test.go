package aggregation

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/harness"
)

// echoes answers like [answers], and on one path sends back whatever it hears once the connection is its own.
func echoes(group string) http.HandlerFunc {
	others := answers(group)
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/things/one/exec") {
			others(w, r)
			return
		}
		connection, both, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		_, _ = both.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = both.Flush()
		_, _ = io.Copy(connection, both)
	}
}

// TestTunnel has a connection become something else: what is sent goes both ways, and its audit record ends when it ends.
func TestTunnel(t *testing.T) {
	folder := t.TempDir()
	policy, log := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "audit.log")
	check(t, os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"), 0o600))
	server := harness.Start(t, append([]string{"--audit-policy-file", policy, "--audit-log-path", log}, settings...)...)
	extension := startPlain(t, "echo.ext", echoes("echo.example.com"))
	stand(t, server, "echo", extension.port)
	register(t, server, "echo", extension.port, extension.authority, "echo.example.com", "v1")
	available(t, server, "v1.echo.example.com")
	const path = "/apis/echo.example.com/v1/things/one/exec"
	recorded := func(stage string) bool {
		text, err := os.ReadFile(log)
		check(t, err)
		return slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
			return strings.Contains(line, path) && strings.Contains(line, `"stage":"`+stage+`"`) && strings.Contains(line, `"code":101`)
		})
	}

	config, err := rest.TLSConfigFor(server.Config)
	check(t, err)
	config.NextProtos = []string{"http/1.1"}
	var connection *tls.Conn
	var reader *bufio.Reader
	harness.Eventually(t, "the connection is the extension server's", func() bool {
		connection, err = tls.Dial("tcp", strings.TrimPrefix(server.Config.Host, "https://"), config)
		check(t, err)
		_, err = io.WriteString(connection, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		check(t, err)
		reader = bufio.NewReader(connection)
		answer, err := http.ReadResponse(reader, nil)
		check(t, err)
		if answer.StatusCode != http.StatusSwitchingProtocols {
			check(t, connection.Close())
		}
		return answer.StatusCode == http.StatusSwitchingProtocols
	})
	_, err = io.WriteString(connection, "hello\n")
	check(t, err)
	if heard, err := reader.ReadString('\n'); err != nil || heard != "hello\n" {
		t.Fatalf("heard %q, %v", heard, err)
	}
	harness.Eventually(t, "the audit log tells that the tunnel began", func() bool { return recorded("ResponseStarted") })
	if recorded("ResponseComplete") {
		t.Error("the audit log tells that the tunnel ended, and it goes on")
	}
	check(t, connection.Close())
	harness.Eventually(t, "the audit log tells that the tunnel ended", func() bool { return recorded("ResponseComplete") })
}
