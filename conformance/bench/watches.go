package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	watchers = 200
	// idle is how many watches are open at once without an event, and perConnection how many of them share a connection.
	idle, perConnection = 10_000, 100
)

// watch opens watches over the clients, in turn. It returns how many events they have seen, and what ends them.
func (s *server) watch(n int, path string) (counted func() int64, end func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var delivered atomic.Int64
	var group sync.WaitGroup
	end = func() {
		cancel()
		group.Wait()
	}
	for i := range n {
		if err := s.follow(ctx, s.clients[i%len(s.clients)], path, &group, &delivered); err != nil {
			end()
			return nil, nil, err
		}
	}
	return delivered.Load, end, nil
}

// follow opens one watch and counts its events until the context ends.
func (s *server) follow(ctx context.Context, client *http.Client, path string, group *sync.WaitGroup, delivered *atomic.Int64) error {
	request, err := s.request(http.MethodGet, path, "")
	if err != nil {
		return err
	}
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return fmt.Errorf("watch %s: %s", path, response.Status)
	}
	group.Go(func() {
		defer response.Body.Close()
		lines := bufio.NewReaderSize(response.Body, 1<<10)
		for {
			if _, err := lines.ReadSlice('\n'); err == nil {
				delivered.Add(1)
			} else if err != bufio.ErrBufferFull {
				return
			}
		}
	})
	return nil
}

// fanOut follows one namespace with many watchers and counts delivered events.
func (s *server) fanOut(span time.Duration) outcome {
	delivered, end, err := s.watch(watchers, space(0, "configmaps?watch=true"))
	if err != nil {
		return outcome{err: err}
	}
	defer end()
	// What is there comes first, as added.
	for before := int64(-1); before != delivered(); time.Sleep(time.Second) {
		before = delivered()
	}
	cpu, started, first := s.cpu(), time.Now(), delivered()
	var latencies []time.Duration
	for i := 0; time.Since(started) < span; i++ {
		begun, want := time.Now(), delivered()+watchers
		if err := s.call(0, "PATCH", space(0, "configmaps/cm-0"), "application/merge-patch+json", fmt.Sprintf(`{"data":{"n":"f%d"}}`, i)); err != nil {
			return outcome{err: err}
		}
		for delivered() < want && time.Since(begun) < time.Second {
			time.Sleep(50 * time.Microsecond)
		}
		latencies = append(latencies, time.Since(begun))
	}
	return outcome{count: int(delivered() - first), span: time.Since(started), cpu: s.cpu() - cpu, latencies: latencies}
}

// idleMiB is the memory that the server holds for watches in which nothing happens.
func (s *server) idleMiB() (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var delivered atomic.Int64
	defer group.Wait()
	defer cancel()
	before := s.residentMiB()
	var client *http.Client
	for i := range idle {
		if i%perConnection == 0 {
			var err error
			if client, err = s.client(); err != nil {
				return 0, err
			}
			defer client.CloseIdleConnections()
		}
		if err := s.follow(ctx, client, space(i, "secrets?watch=true"), &group, &delivered); err != nil {
			return 0, fmt.Errorf("watch %d: %w", i, err)
		}
	}
	return s.residentMiB() - before, nil
}
