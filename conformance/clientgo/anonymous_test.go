package clientgo

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"

	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/harness"
)

// TestWhomNobodyKnowsKeepsNoConnection asks over HTTP/2: as in upstream, a connection of somebody without a credential, or with one
// that nobody gave, ends after its request, and an administrator's goes on.
func TestWhomNobodyKnowsKeepsNoConnection(t *testing.T) {
	server := harness.Start(t, "--controllers=-*")
	const enough = 20
	for name, c := range map[string]struct {
		config *rest.Config
		token  string
		keeps  bool
	}{
		"nobody":        {rest.AnonymousClientConfig(server.Config), "", false},
		"a stranger":    {rest.AnonymousClientConfig(server.Config), "nobody-gave-this", false},
		"administrator": {server.Config, "", true},
	} {
		config := rest.CopyConfig(c.config)
		config.BearerToken = c.token
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			t.Fatal(err)
		}
		reused := func() bool {
			var info httptrace.GotConnInfo
			trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { info = got }}
			request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, config.Host+"/version", nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Do(request)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			defer answer.Body.Close()
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if answer.ProtoMajor != 2 {
				t.Fatalf("%s was answered with %s", name, answer.Proto)
			}
			return info.Reused
		}
		reused()
		if !c.keeps {
			// A request may go out before the client has heard of the end.
			harness.Eventually(t, name+" needs another connection", func() bool { return !reused() })
			continue
		}
		for range enough {
			if !reused() {
				t.Errorf("%s needed another connection", name)
			}
		}
	}
}
