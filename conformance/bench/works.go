package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	namespaces = 10
	leases     = 100
	maps       = 100
)

// works is the daily work, in the order in which it is done.
func (b *bench) works(s *server) error {
	if err := s.prepare(); err != nil {
		return err
	}
	for _, w := range []struct {
		name string
		do   func() outcome
	}{
		{"create a ConfigMap of 1 KB", func() outcome { return s.during(b.span, s.createMap) }},
		{"create a Pod", func() outcome { return s.times(b.pods, s.createPod) }},
		{"get a Pod", func() outcome { return s.during(b.span, func(i int) error { return s.get(i, b.podPath(i)) }) }},
		{"get a Pod as protobuf", func() outcome {
			return s.during(b.span, func(i int) error { return s.getAs(protobuf, "identity", i, b.podPath(i)) })
		}},
		{"strategic merge patch of pods/status", func() outcome { return s.during(b.span, func(i int) error { return s.patchStatus(i, b.podPath(i)) }) }},
		{"merge patch of a Lease", func() outcome { return s.during(b.span, s.patchLease) }},
		{"server-side apply of a ConfigMap", func() outcome { return s.during(b.span, s.applyMap) }},
		{"list 500 Pods", func() outcome {
			return s.during(b.span, func(i int) error { return s.get(i, space(i, "pods?limit=500")) })
		}},
		{"list 500 Pods as protobuf", func() outcome {
			return s.during(b.span, func(i int) error { return s.getAs(protobuf, "identity", i, space(i, "pods?limit=500")) })
		}},
		{"list 500 Pods, compressed", func() outcome {
			return s.during(b.span, func(i int) error { return s.getAs("application/json", "gzip", i, space(i, "pods?limit=500")) })
		}},
		{fmt.Sprintf("list %d Pods from the cache", b.pods), func() outcome {
			return s.during(b.span, func(i int) error { return s.get(i, "/api/v1/pods?resourceVersion=0") })
		}},
		{fmt.Sprintf("one event to one of %d watchers (latency: to all)", watchers), func() outcome { return s.fanOut(b.span) }},
		{"patch, 10 writers at 1,000 a second in all, 10 watches", func() outcome { return s.paced(b.span) }},
	} {
		if err := b.record(w.name, w.do()); err != nil {
			return err
		}
		if w.name == "create a Pod" {
			b.note(fmt.Sprintf("memory with %d Pods", b.pods), float64(s.residentMiB()), "MiB")
		}
	}
	return nil
}

// prepare makes what the work needs: namespaces with service accounts, and leases.
func (s *server) prepare() error {
	for i := range namespaces {
		if err := s.post(i, "/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":"bench-%d"}}`, i)); err != nil {
			return err
		}
		// The controller that makes it may have been faster; then this is a conflict.
		if err := s.post(i, space(i, "serviceaccounts"), `{"metadata":{"name":"default"}}`); err != nil {
			return err
		}
	}
	for i := range leases {
		if err := s.post(i, leasePath(i, ""), fmt.Sprintf(`{"metadata":{"name":"lease-%d"}}`, i)); err != nil {
			return err
		}
	}
	return nil
}

func space(i int, rest string) string {
	return "/api/v1/namespaces/bench-" + strconv.Itoa(i%namespaces) + "/" + rest
}

func leasePath(i int, rest string) string {
	return "/apis/coordination.k8s.io/v1/namespaces/bench-" + strconv.Itoa(i%namespaces) + "/leases" + rest
}

func (b *bench) podPath(i int) string { return space(i%b.pods, "pods/pod-"+strconv.Itoa(i%b.pods)) }

func (s *server) createMap(i int) error {
	return s.post(i, space(i, "configmaps"), fmt.Sprintf(`{"metadata":{"name":"cm-%d"},"data":{"a":"%s"}}`, i, strings.Repeat("x", 1000)))
}

func (s *server) createPod(i int) error { return s.post(i, space(i, "pods"), pod(i)) }

func (s *server) patchStatus(i int, path string) error {
	body := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","message":"m%d"}]}}`, i)
	return s.call(i, "PATCH", path+"/status", "application/strategic-merge-patch+json", body)
}

func (s *server) patchLease(i int) error {
	body := fmt.Sprintf(`{"spec":{"holderIdentity":"h%d","leaseDurationSeconds":15,"renewTime":"2026-01-01T00:00:00.%06dZ"}}`, i, i%1000000)
	return s.call(i, "PATCH", leasePath(i, "/lease-"+strconv.Itoa(i%leases)), "application/merge-patch+json", body)
}

func (s *server) applyMap(i int) error {
	name := fmt.Sprintf("applied-%d", i%maps)
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s"},"data":{"a":"%s","n":"%d"}}`, name, strings.Repeat("x", 1000), i)
	return s.call(i, "PATCH", space(i%maps, "configmaps/"+name+"?fieldManager=bench&force=true"), "application/apply-patch+yaml", body)
}

// pod is one of which there are others alike but for the name.
func pod(i int) string { return podOf(i, fmt.Sprintf("a%d", i%50)) }

// podOf is an object of about 5 KB: two containers with twenty variables each.
func podOf(i int, app string) string {
	var env []string
	for n := range 20 {
		env = append(env, fmt.Sprintf(`{"name":"VARIABLE_%02d","value":"%s"}`, n, strings.Repeat("v", 60)))
	}
	container := `{"name":"%s","image":"registry.example.com/team/app:1.2.3","env":[` + strings.Join(env, ",") + `],"resources":{"requests":{"cpu":"100m","memory":"128Mi"}}}`
	return fmt.Sprintf(`{"metadata":{"name":"pod-%d","labels":{"app":"%s"}},"spec":{"containers":[%s,%s]}}`, i, app, fmt.Sprintf(container, "one"), fmt.Sprintf(container, "two"))
}

// paced lets ten writers patch a hundred times a second each, while ten watches follow. A writer that falls behind does not
// catch up, so the rate says whether the server kept up.
func (s *server) paced(span time.Duration) outcome {
	const writers, each = 10, 100
	counted, end, err := s.watch(writers, space(0, "configmaps?watch=true"))
	if err != nil {
		return outcome{err: err}
	}
	defer end()
	ticks := make([]*time.Ticker, writers)
	for i := range ticks {
		ticks[i] = time.NewTicker(time.Second / each)
		defer ticks[i].Stop()
	}
	deadline := time.Now().Add(span)
	// The wait for the next turn is not the server's, so each worker takes its time itself.
	var latencies = make(chan time.Duration, 1024*writers)
	result := s.work(writers, func(int) bool { return time.Now().Before(deadline) }, func(i int) error {
		<-ticks[i%writers].C
		begun := time.Now()
		err := s.call(i, "PATCH", space(0, "configmaps/cm-"+strconv.Itoa(i%writers*namespaces)), "application/merge-patch+json", fmt.Sprintf(`{"data":{"n":"%d"}}`, i))
		select {
		case latencies <- time.Since(begun):
		default:
		}
		return err
	})
	close(latencies)
	result.latencies = nil
	for latency := range latencies {
		result.latencies = append(result.latencies, latency)
	}
	if result.err == nil && counted() == 0 {
		result.err = fmt.Errorf("no watch saw an event")
	}
	return result
}
