package etcd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"gatehouse.dev/conformance/harness"
)

const records = "/registry/masterleases/"

// TestTheServiceLeadsToAllServers runs kube-apiserver and two Gatehouses on one etcd: the Service kubernetes leads to all of them,
// to those that are left when one ends, and the record by which each is known is the same whoever writes it.
func TestTheServiceLeadsToAllServers(t *testing.T) {
	b := newBed(t)
	const theirs, first, second = "10.9.0.1", "10.9.0.2", "10.9.0.3"
	store, err := clientv3.New(clientv3.Config{Endpoints: []string{b.store}, DialTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	start := func(address string) *server {
		s := harness.Start(t, append([]string{"--etcd-servers", b.store, "--controllers=-*", "--advertise-address", address}, b.flags...)...)
		return b.server("Gatehouse at "+address, s.Config, s.Stop)
	}
	real := (&bed{t: t, apiserver: b.apiserver, store: b.store, flags: append(slices.Clone(b.flags), "--advertise-address", theirs)}).kubeAPIServer()
	real.leadsTo(theirs)
	want, lives := record(t, store, theirs)
	one := start(first)
	one.leadsTo(theirs, first)
	two := start(second)
	two.leadsTo(theirs, first, second)
	real.leadsTo(theirs, first, second)

	got, lasts := record(t, store, first)
	got.Subsets[0].Addresses[0].IP = theirs
	got.Generation, want.Generation = 0, 0
	if !equality.Semantic.DeepEqual(got, want) || lasts.GrantedTTL != lives.GrantedTTL {
		t.Errorf("Gatehouse writes %+v for %d seconds, kube-apiserver %+v for %d", got, lasts.GrantedTTL, want, lives.GrantedTTL)
	}
	one.stop()
	two.leadsTo(theirs, second)
	if answer, err := store.Get(t.Context(), records+first); err != nil || len(answer.Kvs) > 0 {
		t.Errorf("a server that ended in good order is still known: %v %v", answer.Kvs, err)
	}
	// One that did not is known until its lease ends, which is hastened here.
	real.stop()
	_, lives = record(t, store, theirs)
	if _, err := store.Revoke(t.Context(), lives.ID); err != nil {
		t.Fatal(err)
	}
	two.leadsTo(second)
}

// TestWhoKeepsTheEndpoints asks for the other ways that upstream has.
func TestWhoKeepsTheEndpoints(t *testing.T) {
	b := newBed(t)
	start := func(address string, flags ...string) *server {
		own := []string{"--etcd-servers", b.store, "--controllers=-*", "--advertise-address", address}
		s := harness.Start(t, append(append(own, b.flags...), flags...)...)
		return b.server("Gatehouse at "+address, s.Config, s.Stop)
	}
	none := start("10.9.0.1", "--endpoint-reconciler-type=none")
	if _, err := none.typed.CoreV1().Endpoints("default").Get(t.Context(), "kubernetes", metav1.GetOptions{}); err == nil {
		t.Error("somebody keeps the endpoints")
	}
	none.stop()
	counted := []string{"--endpoint-reconciler-type=master-count", "--apiserver-count=2"}
	one := start("10.9.0.2", counted...)
	one.leadsTo("10.9.0.2")
	two := start("10.9.0.3", counted...)
	two.leadsTo("10.9.0.2", "10.9.0.3")
	one.stop()
	two.leadsTo("10.9.0.3")
}

// leadsTo waits until the Service leads to these addresses and no others, by Endpoints and by slice.
func (s *server) leadsTo(want ...string) {
	s.t.Helper()
	last := ""
	defer func() {
		if s.t.Failed() {
			s.t.Logf("%s shows %s, not %v", s.name, last, want)
		}
	}()
	harness.Eventually(s.t, fmt.Sprintf("the Service kubernetes leads to %v", want), func() bool {
		endpoints, err := s.typed.CoreV1().Endpoints("default").Get(s.t.Context(), "kubernetes", metav1.GetOptions{})
		if err != nil {
			return false
		}
		slice, err := s.typed.DiscoveryV1().EndpointSlices("default").Get(s.t.Context(), "kubernetes", metav1.GetOptions{})
		if err != nil {
			return false
		}
		var told, sliced []string
		for _, subset := range endpoints.Subsets {
			for _, address := range subset.Addresses {
				told = append(told, address.IP)
			}
		}
		for _, endpoint := range slice.Endpoints {
			sliced = append(sliced, endpoint.Addresses...)
		}
		slices.Sort(sliced)
		last = fmt.Sprint(told, sliced)
		return slices.Equal(told, want) && slices.Equal(sliced, want)
	})
}

// record is what a server writes of itself, and how long that lives.
func record(t *testing.T, store *clientv3.Client, address string) (*corev1.Endpoints, *clientv3.LeaseTimeToLiveResponse) {
	t.Helper()
	answer, err := store.Get(t.Context(), records+address)
	if err != nil || len(answer.Kvs) != 1 {
		t.Fatalf("there is no record of %s: %v", address, err)
	}
	value := answer.Kvs[0].Value
	if !strings.HasPrefix(string(value), "k8s\x00") {
		t.Errorf("the record of %s is no protobuf: %q", address, value)
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(value, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	lives, err := store.TimeToLive(t.Context(), clientv3.LeaseID(answer.Kvs[0].Lease))
	if err != nil {
		t.Fatal(err)
	}
	return object.(*corev1.Endpoints), lives
}
