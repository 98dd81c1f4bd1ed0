package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	inFlight = 32
	// protobuf is what client-go asks for.
	protobuf = "application/vnd.kubernetes.protobuf"
	// clockTicks is the kernel's unit of CPU accounting, fixed at 100 a second on Linux.
	clockTicks = 100
)

// outcome is what a stretch of work came to.
type outcome struct {
	count     int
	span, cpu time.Duration
	latencies []time.Duration
	err       error
}

// add takes in another stretch of the same work.
func (o *outcome) add(more outcome) {
	o.count, o.span, o.cpu = o.count+more.count, o.span+more.span, o.cpu+more.cpu
	o.latencies = append(o.latencies, more.latencies...)
	o.err = cmp.Or(o.err, more.err)
}

// figures are what the table shows of an outcome; durations in milliseconds.
type figures struct {
	PerSecond float64 `json:"perSecond"`
	CPU       float64 `json:"cpuMilliseconds"`
	P50       float64 `json:"p50Milliseconds"`
	P99       float64 `json:"p99Milliseconds"`
}

func (o outcome) figures() (figures, error) {
	if o.err != nil {
		return figures{}, o.err
	}
	if o.count == 0 || len(o.latencies) == 0 {
		return figures{}, fmt.Errorf("nothing was done")
	}
	sort.Slice(o.latencies, func(i, j int) bool { return o.latencies[i] < o.latencies[j] })
	at := func(share float64) float64 { return milliseconds(o.latencies[int(float64(len(o.latencies)-1)*share)]) }
	return figures{PerSecond: float64(o.count) / o.span.Seconds(), CPU: milliseconds(o.cpu) / float64(o.count), P50: at(0.5), P99: at(0.99)}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// during does something again and again for a while, at least once.
func (s *server) during(span time.Duration, do func(int) error) outcome {
	return s.among(inFlight, span, do)
}

// among does so with so many at once.
func (s *server) among(workers int, span time.Duration, do func(int) error) outcome {
	deadline := time.Now().Add(span)
	return s.work(workers, func(i int) bool { return i == 0 || time.Now().Before(deadline) }, do)
}

// times does something so many times.
func (s *server) times(n int, do func(int) error) outcome {
	return s.work(inFlight, func(i int) bool { return i < n }, do)
}

// work has so many workers do something as long as there is more, and counts what it cost.
func (s *server) work(workers int, more func(int) bool, do func(int) error) outcome {
	var next atomic.Int64
	var mutex sync.Mutex
	var result outcome
	var group sync.WaitGroup
	before, started := s.cpu(), time.Now()
	for range workers {
		group.Go(func() {
			var own []time.Duration
			var failed error
			for i := int(next.Add(1) - 1); failed == nil && more(i); i = int(next.Add(1) - 1) {
				begun := time.Now()
				if failed = do(i); failed == nil {
					own = append(own, time.Since(begun))
				}
			}
			mutex.Lock()
			defer mutex.Unlock()
			result.latencies = append(result.latencies, own...)
			if failed != nil {
				result.err = failed
			}
		})
	}
	group.Wait()
	result.count, result.span, result.cpu = len(result.latencies), time.Since(started), s.cpu()-before
	return result
}

func (s *server) get(i int, path string) error {
	return s.getAs("application/json", "identity", i, path)
}

// getAs reads in a form, compressed or not.
func (s *server) getAs(accept, coding string, i int, path string) error {
	request, err := s.request("GET", path, "")
	if err != nil {
		return err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("Accept-Encoding", coding)
	return s.send(i, request)
}

func (s *server) post(i int, path, body string) error {
	return s.call(i, "POST", path, "application/json", body)
}

func (s *server) call(i int, method, path, contentType, body string) error {
	request, err := s.request(method, path, body)
	if err != nil {
		return err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	request.Header.Set("Accept", "application/json")
	return s.send(i, request)
}

func (s *server) send(i int, request *http.Request) error {
	response, err := s.clients[i%len(s.clients)].Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 && response.StatusCode != http.StatusConflict {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s %s: %d %s", request.Method, request.URL.Path, response.StatusCode, bytes.TrimSpace(text))
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func (s *server) request(method, path, body string) (*http.Request, error) {
	request, err := http.NewRequest(method, s.host+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return request, nil
}

// cpu is the user and system time that the server's processes have used, in units of ten milliseconds.
func (s *server) cpu() time.Duration {
	ticks := 0
	for _, pid := range s.processes() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		ticks += user + system
	}
	return time.Duration(ticks) * time.Second / clockTicks
}

// processes are the server's and those that it has started, as it does to run policies apart.
func (s *server) processes() []int {
	all := slices.Clone(s.pids)
	for _, pid := range s.pids {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		for _, list := range lists {
			text, _ := os.ReadFile(list)
			for _, word := range strings.Fields(string(text)) {
				if child, err := strconv.Atoi(word); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// residentMiB is the memory that the server's processes hold.
func (s *server) residentMiB() int {
	pages := 0
	for _, pid := range s.processes() {
		statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			continue
		}
		own, _ := strconv.Atoi(strings.Fields(string(statm))[1])
		pages += own
	}
	return pages * os.Getpagesize() >> 20
}
