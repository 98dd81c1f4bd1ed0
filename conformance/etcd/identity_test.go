package etcd

import (
	"encoding/json"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/harness"
)

// TestIdentityLeasesAreAlike asks both servers, one after the other on one etcd, for the lease by which they are known. It has
// the same name, because it is the same machine, and goes away with a server that ends in good order.
func TestIdentityLeasesAreAlike(t *testing.T) {
	b := newBed(t)
	real := b.kubeAPIServer()
	theirs := real.identity()
	real.stop()
	gatehouse := b.gatehouse()
	ours := gatehouse.identity()
	if ours.UID == theirs.UID {
		t.Error("what the server before left was taken over")
	}
	if got, want := masked(ours), masked(theirs); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	embedded := harness.Start(t, "--controllers=-*")
	alone := b.server("the embedded engine", embedded.Config, embedded.Stop)
	if got, want := masked(alone.identity()), masked(theirs); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	alone.stop()
	embedded.Restart()
	harness.Contains(t, embedded.Log(), "ended")
}

// identity waits for the lease of a server.
func (s *server) identity() *coordinationv1.Lease {
	s.t.Helper()
	var found *coordinationv1.Lease
	harness.Eventually(s.t, "an identity lease", func() bool {
		list, err := s.typed.CoordinationV1().Leases("kube-system").List(s.t.Context(), metav1.ListOptions{LabelSelector: "apiserver.kubernetes.io/identity=kube-apiserver"})
		if err != nil || len(list.Items) != 1 || list.Items[0].Spec.RenewTime == nil {
			return false
		}
		found = &list.Items[0]
		return true
	})
	return found
}

// masked is a lease without what differs from start to start.
func masked(lease *coordinationv1.Lease) string {
	copied := lease.DeepCopy()
	copied.UID, copied.ResourceVersion, copied.CreationTimestamp = "", "", metav1.Time{}
	copied.Spec.RenewTime = nil
	holder, process, _ := strings.Cut(*copied.Spec.HolderIdentity, "_")
	if len(process) != len("00000000-0000-0000-0000-000000000000") {
		holder = *copied.Spec.HolderIdentity
	}
	copied.Spec.HolderIdentity = &holder
	const address = "kubernetes.io/peer-advertise-address"
	if copied.Annotations[address] != "" {
		copied.Annotations[address] = "told"
	}
	for i := range copied.ManagedFields {
		copied.ManagedFields[i].Time = nil
	}
	text, err := json.Marshal(copied)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
