package hostile

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/harness"
)

const (
	idleWatches     = 10_000
	idleConnections = 100
	idleMemoryMax   = 400 << 20
)

// TestIdleWatchesCostLittle opens ten thousand watches that see nothing, and looks at what the server holds in memory then.
func TestIdleWatchesCostLittle(t *testing.T) {
	s := harness.Start(t, "--controllers=-*")
	settings, err := rest.TLSConfigFor(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	before := s.Memory()
	var group sync.WaitGroup
	for connection := range idleConnections {
		transport := &http.Transport{TLSClientConfig: settings.Clone(), ForceAttemptHTTP2: true}
		client := http.Client{Transport: transport}
		group.Go(func() {
			for n := range idleWatches / idleConnections {
				url := fmt.Sprintf("%s/api/v1/namespaces/ns-%d/configmaps?watch=1&resourceVersion=0", s.Config.Host, connection*5+n/20)
				answer, err := client.Get(url)
				if err == nil && answer.StatusCode != http.StatusOK {
					err = errors.New(answer.Status)
				}
				if err != nil {
					t.Errorf("watch %d of connection %d: %v", n, connection, err)
					return
				}
			}
		})
	}
	group.Wait()
	after := s.Memory()
	t.Logf("%d idle watches: %d MiB, %d MiB before them", idleWatches, after>>20, before>>20)
	if after > idleMemoryMax {
		t.Errorf("%d MiB with %d idle watches", after>>20, idleWatches)
	}
}
