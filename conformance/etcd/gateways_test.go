package etcd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	corev1 "k8s.io/api/core/v1"
)

const (
	writes   = 100
	services = 24
)

// TestTwoGatewaysOnOneEtcd writes through both and looks for what only one process could get right: order on every watch,
// reads that see what the other was answered, names, addresses and ports that are given once.
func TestTwoGatewaysOnOneEtcd(t *testing.T) {
	b := newBed(t)
	both := []*server{b.gatehouse(), b.gatehouse()}
	both[0].prepare("two")
	t.Run("watches", func(t *testing.T) { watchBoth(t, both) })
	t.Run("names", func(t *testing.T) { oneName(t, both) })
	t.Run("services", func(t *testing.T) { allocate(t, both) })
}

// watchBoth writes through one and the other in turn, reads through the one that did not write, and compares both watches.
func watchBoth(t *testing.T, both []*server) {
	const path = "/api/v1/namespaces/two/configmaps"
	var list metav1.PartialObjectMetadataList
	if err := json.Unmarshal(both[0].ok(http.MethodGet, path, nil), &list); err != nil {
		t.Fatal(err)
	}
	seen := [2]chan []string{}
	for i, s := range both {
		seen[i] = make(chan []string, 1)
		watcher, err := s.typed.CoreV1().ConfigMaps("two").Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Stop()
		go func() { seen[i] <- follow(watcher, writes) }()
	}
	for n := range writes {
		writer, reader := both[n%2], both[1-n%2]
		name := fmt.Sprint("c-", n)
		writer.ok(http.MethodPost, path, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}})
		reader.ok(http.MethodGet, path+"/"+name, nil)
	}
	first, second := <-seen[0], <-seen[1]
	if !slices.Equal(first, second) || len(first) != writes {
		t.Errorf("two watches of one resource differ or are cut short:\n%v\n%v", first, second)
	}
	for n, event := range first {
		if want := fmt.Sprint("ADDED c-", n); event != want {
			t.Errorf("event %d is %s, not %s", n, event, want)
		}
	}
}

func follow(watcher watch.Interface, count int) []string {
	var events []string
	for event := range watcher.ResultChan() {
		object, known := event.Object.(*corev1.ConfigMap)
		if !known {
			return append(events, fmt.Sprintf("%s %+v", event.Type, event.Object))
		}
		events = append(events, fmt.Sprint(event.Type, " ", object.Name))
		if len(events) == count {
			break
		}
	}
	return events
}

// oneName lets both create the same objects at once; each name may be given once.
func oneName(t *testing.T, both []*server) {
	for n := range 20 {
		var group sync.WaitGroup
		codes := [2]int{}
		for i, s := range both {
			group.Go(func() {
				codes[i], _ = s.do(http.MethodPost, "/api/v1/namespaces/two/secrets", map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": fmt.Sprint("s-", n)}})
			})
		}
		group.Wait()
		slices.Sort(codes[:])
		if codes != [2]int{http.StatusCreated, http.StatusConflict} {
			t.Errorf("two creates of one name answered %v", codes)
		}
	}
}

// allocate makes Services through both at once; no address and no port may be given twice.
func allocate(t *testing.T, both []*server) {
	var group sync.WaitGroup
	made := make([]corev1.Service, services)
	for n := range services {
		group.Go(func() {
			raw := both[n%2].ok(http.MethodPost, "/api/v1/namespaces/two/services", map[string]any{"apiVersion": "v1", "kind": "Service",
				"metadata": map[string]any{"name": fmt.Sprint("svc-", n)}, "spec": map[string]any{"type": "NodePort", "ports": []any{map[string]any{"port": 80}}}})
			if err := json.Unmarshal(raw, &made[n]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	addresses, ports := map[string]string{}, map[int32]string{}
	for _, service := range made {
		if service.Spec.ClusterIP == "" || len(service.Spec.Ports) != 1 || service.Spec.Ports[0].NodePort == 0 {
			t.Errorf("%s has nothing allocated: %+v", service.Name, service.Spec)
			continue
		}
		address, port := service.Spec.ClusterIP, service.Spec.Ports[0].NodePort
		if other := addresses[address]; other != "" {
			t.Errorf("%s is the address of %s and %s", address, other, service.Name)
		}
		if other := ports[port]; other != "" {
			t.Errorf("%d is the node port of %s and %s", port, other, service.Name)
		}
		addresses[address], ports[port] = service.Name, service.Name
	}
}
