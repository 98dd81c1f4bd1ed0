// Package durability kills the server under load and looks for what it had acknowledged.
package durability

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/harness"
)

const writers = 64

// rounds is how often the process is killed: CI's share; by hand -rounds=500.
var (
	rounds = flag.Int("rounds", 12, "how often the server is killed")
	// seed says when, so that a run can be had again.
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "where the moments of the kills come from")
)

// Anywhere in the first fifth of a second: the kill meets every moment of a commit.
const soonest, latest = 20 * time.Millisecond, 200 * time.Millisecond

// TestKilledUnderWriters ends the process with SIGKILL again and again while 64 clients write. After each restart every
// answered write is there, and no revision is lower than one seen before.
func TestKilledUnderWriters(t *testing.T) {
	t.Logf("-seed=%d", *seed)
	moments := rand.New(rand.NewPCG(*seed, 0))
	s := harness.Start(t)
	acknowledged := map[string]string{}
	highest := uint64(0)
	for round := range *rounds {
		written, revision := write(t, s, round, soonest+time.Duration(moments.Int64N(int64(latest-soonest))))
		for name, value := range written {
			acknowledged[name] = value
		}
		highest = max(highest, revision)
		s.Restart()
		highest = verify(t, s, acknowledged, highest)
	}
	t.Logf("%d acknowledged writes survived %d kills; the revision reached %d", len(acknowledged), *rounds, highest)
	if len(acknowledged) < *rounds {
		t.Errorf("only %d writes were acknowledged: the test did not test", len(acknowledged))
	}
}

// write lets all writers create and update until the server dies, and returns what was answered.
func write(t *testing.T, s *harness.Server, round int, lives time.Duration) (map[string]string, uint64) {
	var mutex sync.Mutex
	written, highest := map[string]string{}, uint64(0)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := s.Client()
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := 0; ; i++ {
				name, value := fmt.Sprintf("w%02d-r%02d-%d", writer, round, i), strconv.Itoa(i)
				object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"n": value}}
				stored, err := client.CoreV1().ConfigMaps("default").Create(ctx, object, metav1.CreateOptions{})
				if err != nil {
					return
				}
				revision, _ := strconv.ParseUint(stored.ResourceVersion, 10, 64)
				mutex.Lock()
				written[name], highest = value, max(highest, revision)
				mutex.Unlock()
			}
		})
	}
	time.Sleep(lives)
	s.Kill()
	group.Wait()
	return written, highest
}

func verify(t *testing.T, s *harness.Server, acknowledged map[string]string, highest uint64) uint64 {
	t.Helper()
	list, err := s.Client().CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	revision, err := strconv.ParseUint(list.ResourceVersion, 10, 64)
	if err != nil || revision < highest {
		t.Fatalf("the revision fell from %d to %q", highest, list.ResourceVersion)
	}
	found := map[string]string{}
	for _, object := range list.Items {
		found[object.Name] = object.Data["n"]
	}
	for name, value := range acknowledged {
		if found[name] != value {
			t.Fatalf("%s was acknowledged with n=%s and is now %q", name, value, found[name])
		}
	}
	return revision
}
