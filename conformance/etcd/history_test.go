package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"

	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/peer"
)

const (
	namespace = "troubled"
	path      = "/api/v1/namespaces/" + namespace + "/configmaps"
	inEtcd    = "/registry/configmaps/" + namespace + "/"
	// last is the name of what is written when everything else is over.
	last = "the-end"
	// pageSize makes several pages of what there is.
	pageSize = 4
	// patience is how long a client waits for one answer.
	patience = 30 * time.Second
	// pause leaves the machine to others between two requests of one client.
	pause = 4 * time.Millisecond
)

// outcome is what a writer was told.
type outcome int

const (
	done outcome = iota
	refused
	unknown
)

// write is one that somebody tried: of a value, or, without one, of a removal.
type write struct {
	key, value string
	// before is the revision that it was to replace; 0 for none.
	before, revision uint64
	outcome          outcome
}

// event is a change of one object: what etcd keeps, and what a watch tells.
type event struct {
	kind       watch.EventType
	key, value string
	revision   uint64
}

// state is what was read: of a list the revision of each object, of a single read that of one.
type state struct {
	revision uint64
	objects  map[string]uint64
	// floor is the highest revision that was answered before the read began.
	floor uint64
}

// history is what all clients were told.
type history struct {
	t        *testing.T
	cluster  *peer.Cluster
	gateways []*server
	began    uint64
	answered atomic.Int64
	highest  atomic.Uint64

	mutex    sync.Mutex
	writes   []write
	reads    []state
	lists    []state
	followed [][]event
}

func newHistory(t *testing.T, cluster *peer.Cluster, gateways []*server) *history {
	t.Helper()
	h := &history{t: t, cluster: cluster, gateways: gateways, followed: make([][]event, len(gateways))}
	list, err := gateways[0].typed.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.began = number(list.ResourceVersion)
	return h
}

func number(revision string) uint64 {
	value, _ := strconv.ParseUint(revision, 10, 64)
	return value
}

// ask sends a request once; the code is 0 when no answer came.
func ask(ctx context.Context, s *server, method, at string, query map[string]string, body any) (int, []byte) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request := s.client.Verb(method).AbsPath(at).MaxRetries(0).SetHeader("Accept", "application/json")
	for name, value := range query {
		request = request.Param(name, value)
	}
	if body != nil {
		text, _ := json.Marshal(body)
		request = request.Body(text).SetHeader("Content-Type", "application/json")
	}
	code := 0
	answer := request.Do(ctx)
	answer.StatusCode(&code)
	raw, _ := answer.Raw()
	return code, raw
}

// raise notes that a revision was told.
func (h *history) raise(revision uint64) {
	for {
		highest := h.highest.Load()
		if revision <= highest || h.highest.CompareAndSwap(highest, revision) {
			return
		}
	}
}

// write creates, replaces and removes objects of its own and some that others write too, through one gateway or the other.
func (h *history) write(ctx context.Context, writer int, dice *rand.Rand) {
	known := map[string]uint64{}
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("w%d-%d", writer, dice.Intn(4))
		if dice.Intn(4) == 0 {
			name = fmt.Sprint("shared-", dice.Intn(3))
		}
		s := h.gateways[dice.Intn(len(h.gateways))]
		before, sure := known[name]
		if !sure {
			if before, sure = h.read(ctx, s, name); !sure {
				continue
			}
		}
		w := write{key: name, before: before, value: fmt.Sprintf("%d-%d", writer, n)}
		if before > 0 && dice.Intn(4) == 0 {
			w.value = ""
		}
		h.try(ctx, s, &w)
		delete(known, name)
		if w.outcome == done {
			known[name] = w.revision
			h.answered.Add(1)
		}
		h.mutex.Lock()
		h.writes = append(h.writes, w)
		h.mutex.Unlock()
		time.Sleep(pause)
	}
}

// try sends one write and notes what was told of it.
func (h *history) try(ctx context.Context, s *server, w *write) {
	object := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"value": w.value}}
	meta := map[string]any{"name": w.key}
	object["metadata"] = meta
	var code int
	var raw []byte
	// Whoever stops in the middle would not know what happened.
	ctx = context.WithoutCancel(ctx)
	switch {
	case w.value == "":
		code, raw = ask(ctx, s, http.MethodDelete, path+"/"+w.key, nil, metav1.DeleteOptions{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}, Preconditions: metav1.NewRVDeletionPrecondition(fmt.Sprint(w.before)).Preconditions})
	case w.before == 0:
		code, raw = ask(ctx, s, http.MethodPost, path, nil, object)
	default:
		meta["resourceVersion"] = fmt.Sprint(w.before)
		code, raw = ask(ctx, s, http.MethodPut, path+"/"+w.key, nil, object)
	}
	switch {
	case code == http.StatusOK || code == http.StatusCreated:
		w.outcome = done
		if w.value != "" {
			w.revision = revisionOf(raw)
			h.raise(w.revision)
		}
	case code == http.StatusConflict || code == http.StatusNotFound:
		w.outcome = refused
	case code == 0 || code >= http.StatusInternalServerError || code == http.StatusTooManyRequests:
		w.outcome = unknown
	default:
		h.t.Errorf("a write was answered %d %s", code, raw)
	}
}

func revisionOf(raw []byte) uint64 {
	var object metav1.PartialObjectMetadata
	_ = json.Unmarshal(raw, &object)
	return number(object.ResourceVersion)
}

// read tells the revision of an object, 0 for none; false when it got no answer.
func (h *history) read(ctx context.Context, s *server, name string) (uint64, bool) {
	floor := h.highest.Load()
	code, raw := ask(ctx, s, http.MethodGet, path+"/"+name, nil, nil)
	found := uint64(0)
	if code == http.StatusOK {
		found = revisionOf(raw)
	} else if code != http.StatusNotFound {
		time.Sleep(pause)
		return 0, false
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.reads = append(h.reads, state{objects: map[string]uint64{name: found}, floor: floor})
	return found, true
}

// page lists in pages, each from another gateway than the one before, as behind a load balancer.
func (h *history) page(ctx context.Context, first int) {
	for ctx.Err() == nil {
		read := state{floor: h.highest.Load(), objects: map[string]uint64{}}
		query := map[string]string{"limit": fmt.Sprint(pageSize)}
		for n := first; ctx.Err() == nil; {
			time.Sleep(5 * pause)
			code, raw := ask(ctx, h.gateways[n%len(h.gateways)], http.MethodGet, path, query, nil)
			if code == 0 || code >= http.StatusInternalServerError {
				continue
			}
			var list metav1.PartialObjectMetadataList
			if err := json.Unmarshal(raw, &list); err != nil || code != http.StatusOK {
				h.t.Errorf("page %d: %d %s", n, code, raw)
				return
			}
			for _, object := range list.Items {
				read.objects[object.Name] = number(object.ResourceVersion)
			}
			n++
			if read.revision = number(list.ResourceVersion); list.Continue == "" {
				h.mutex.Lock()
				h.lists = append(h.lists, read)
				h.mutex.Unlock()
				break
			}
			query["continue"] = list.Continue
		}
	}
}

// follow watches from a list on and goes on where it was, until it has seen the last write.
func (h *history) follow(ctx context.Context, n int) {
	client := h.gateways[n].typed.CoreV1().ConfigMaps(namespace)
	seen := h.began
	for ctx.Err() == nil {
		watcher, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: fmt.Sprint(seen), AllowWatchBookmarks: true})
		if err != nil {
			time.Sleep(pause)
			continue
		}
		for told := range watcher.ResultChan() {
			object, known := told.Object.(*corev1.ConfigMap)
			if !known {
				h.t.Errorf("a watch of gateway %d from %d was told %+v", n, seen, told.Object)
				return
			}
			revision := number(object.ResourceVersion)
			if revision < seen || revision == seen && told.Type != watch.Bookmark {
				h.t.Errorf("a watch of gateway %d goes back from %d to %d", n, seen, revision)
			}
			seen = revision
			if told.Type == watch.Bookmark {
				continue
			}
			h.followed[n] = append(h.followed[n], event{told.Type, object.Name, object.Data["value"], revision})
			if object.Name == last {
				watcher.Stop()
				return
			}
		}
	}
}

// finish ends the writers, lets everybody see the end, and compares with what etcd kept.
func (h *history) finish(stopWriters func(), writers, followers *sync.WaitGroup) {
	stopWriters()
	writers.Wait()
	end := write{key: last, value: "over"}
	harness.Eventually(h.t, "the last write", func() bool {
		h.try(h.t.Context(), h.gateways[0], &end)
		return end.outcome == done || end.outcome == refused
	})
	followers.Wait()
	if h.t.Failed() {
		return
	}
	kept := h.kept()
	h.check(kept)
	count := map[outcome]int{}
	for _, w := range h.writes {
		count[w.outcome]++
	}
	h.t.Logf("%d writes were answered, %d refused, of %d the outcome was unknown; %d reads, %d lists, %d events", count[done], count[refused],
		count[unknown], len(h.reads), len(h.lists), len(kept))
}

// kept is all that happened, from etcd's own memory.
func (h *history) kept() []event {
	h.t.Helper()
	client, err := h.cluster.Client(0)
	if err != nil {
		h.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(h.t.Context()))
	defer cancel()
	var kept []event
	values := map[string]string{}
	for response := range client.Watch(ctx, inEtcd, clientv3.WithPrefix(), clientv3.WithRev(int64(h.began)+1)) {
		if err := response.Err(); err != nil {
			h.t.Fatal(err)
		}
		for _, e := range response.Events {
			happened := event{kind: watch.Modified, key: strings.TrimPrefix(string(e.Kv.Key), inEtcd), revision: uint64(e.Kv.ModRevision)}
			switch {
			case e.Type == clientv3.EventTypeDelete:
				// A watch tells the last state of what was removed.
				happened.kind, happened.value = watch.Deleted, values[happened.key]
			default:
				object, _, err := scheme.Codecs.UniversalDeserializer().Decode(e.Kv.Value, nil, nil)
				if err != nil {
					h.t.Fatal(err)
				}
				happened.value = object.(*corev1.ConfigMap).Data["value"]
				values[happened.key] = happened.value
				if e.IsCreate() {
					happened.kind = watch.Added
				}
			}
			if kept = append(kept, happened); happened.key == last {
				return kept
			}
		}
	}
	h.t.Fatal("etcd's history ends before the last write")
	return nil
}

// check compares everything that anybody was told with what happened.
func (h *history) check(kept []event) {
	versions, values, at := map[string][]event{}, map[string]bool{}, map[uint64]event{}
	for _, e := range kept {
		versions[e.key] = append(versions[e.key], e)
		at[e.revision] = e
		values[e.value] = true
	}
	for _, w := range h.writes {
		h.checkWrite(w, versions[w.key], at, values)
	}
	for n, told := range h.followed {
		for i := range max(len(told), len(kept)) {
			if i >= len(told) || i >= len(kept) || told[i] != kept[i] {
				h.t.Errorf("a watch of gateway %d differs from event %d on: it was told %+v, and there happened %+v", n, i, from(told, i), from(kept, i))
				break
			}
		}
	}
	for _, read := range h.reads {
		for key, found := range read.objects {
			if !current(versions[key], found, read.floor) {
				h.t.Errorf("%s was read at %d when %d had been answered; what happened: %+v", key, found, read.floor, versions[key])
			}
		}
	}
	for _, list := range h.lists {
		held := map[string]uint64{}
		for _, e := range kept {
			if e.revision > list.revision {
				break
			}
			if held[e.key] = e.revision; e.kind == watch.Deleted {
				delete(held, e.key)
			}
		}
		// Whatever else lies in the namespace has been there from the beginning.
		maps.DeleteFunc(list.objects, func(key string, revision uint64) bool { return revision <= h.began })
		if !maps.Equal(held, list.objects) || list.revision < list.floor {
			h.t.Errorf("the list of %d, begun when %d had been answered, shows %v, and there was %v", list.revision, list.floor, list.objects, held)
		}
	}
}

// from is an event and those after it, as far as one can read.
func from(events []event, n int) []event { return events[min(n, len(events)):min(n+3, len(events))] }

// checkWrite looks whether what was told of a write is what became of it.
func (h *history) checkWrite(w write, versions []event, at map[uint64]event, values map[string]bool) {
	switch {
	case w.outcome == unknown:
	case w.outcome == refused && w.value != "" && values[w.value]:
		h.t.Errorf("%+v was refused and has happened", w)
	case w.outcome == done && w.value != "":
		if e := at[w.revision]; e.key != w.key || e.value != w.value || previous(versions, w.revision) != w.before {
			h.t.Errorf("%+v was answered, and %+v happened over %d", w, e, previous(versions, w.revision))
		}
	case w.outcome == done:
		for _, e := range versions {
			if e.kind == watch.Deleted && previous(versions, e.revision) == w.before {
				return
			}
		}
		h.t.Errorf("%+v was answered and is lost: %+v", w, versions)
	}
}

// previous is the revision of what a key held before a change; 0 for nothing.
func previous(versions []event, revision uint64) uint64 {
	before := uint64(0)
	for _, e := range versions {
		if e.revision >= revision {
			break
		}
		if before = e.revision; e.kind == watch.Deleted {
			before = 0
		}
	}
	return before
}

// current says whether a key held this (0 for nothing) at some moment since a revision.
func current(versions []event, found, since uint64) bool {
	held := uint64(0)
	for _, e := range versions {
		if held == found && e.revision > since {
			return true
		}
		if held = e.revision; e.kind == watch.Deleted {
			held = 0
		}
	}
	return held == found
}
