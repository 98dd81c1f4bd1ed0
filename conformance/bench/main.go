// Command bench measures what one operation costs a freshly started Gatehouse: rate, CPU time of the server's process
// and latency. CPU is read from the kernel's account of that process, so it hardly depends on what else runs.
//
//	go run ./bench [-gatehouse PATH] [-seconds 5]
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	connections = 4
	inFlight    = 32
	namespaces  = 10
	watchers    = 200
	leases      = 100
	maps        = 100
	// protobuf is what client-go asks for.
	protobuf = "application/vnd.kubernetes.protobuf"
	// clockTicks is the kernel's unit of CPU accounting, fixed at 100 a second on Linux.
	clockTicks = 100
)

func main() {
	program := flag.String("gatehouse", "../target/release/gatehouse", "the server's program")
	seconds := flag.Int("seconds", 5, "how long each kind of work is done")
	pods := flag.Int("pods", 5000, "how many pods are made")
	flag.Parse()
	if err := run(*program, time.Duration(*seconds)*time.Second, *pods); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// server is the process under measurement.
type server struct {
	dir     string
	command *exec.Cmd
	clients []*http.Client
	host    string
}

func run(program string, span time.Duration, pods int) error {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &server{dir: dir}
	cold, err := s.start(program)
	if err != nil {
		return err
	}
	s.stop()
	warm, err := s.start(program)
	if err != nil {
		return err
	}
	defer s.stop()
	time.Sleep(2 * time.Second)
	fmt.Printf("ready after %v on the first start, %v on the second; %d MiB resident at rest\n\n", cold.Round(time.Millisecond), warm.Round(time.Millisecond), s.residentMiB())
	fmt.Println("| work | operations/s | server CPU per operation | p50 / p99 |")
	fmt.Println("|---|---|---|---|")
	return s.measure(span, pods)
}

func (s *server) measure(span time.Duration, pods int) error {
	for i := range namespaces {
		if _, err := s.call(i, "POST", "/api/v1/namespaces", "application/json", fmt.Sprintf(`{"metadata":{"name":"bench-%d"}}`, i)); err != nil {
			return err
		}
	}
	// The service account controller needs a moment before pods may be made.
	time.Sleep(2 * time.Second)
	if err := s.report("create a ConfigMap of 1 KB", s.during(span, func(i int) error {
		_, err := s.call(i, "POST", space(i, "configmaps"), "application/json", fmt.Sprintf(`{"metadata":{"name":"cm-%d"},"data":{"a":"%s"}}`, i, strings.Repeat("x", 1000)))
		return err
	})); err != nil {
		return err
	}
	for i := range leases {
		path := "/apis/coordination.k8s.io/v1/namespaces/bench-" + strconv.Itoa(i%namespaces) + "/leases"
		if _, err := s.call(i, "POST", path, "application/json", fmt.Sprintf(`{"metadata":{"name":"lease-%d"}}`, i)); err != nil {
			return err
		}
	}
	if err := s.report("create a Pod", s.times(pods, func(i int) error {
		_, err := s.call(i, "POST", space(i, "pods"), "application/json", pod(i))
		return err
	})); err != nil {
		return err
	}
	fmt.Printf("| resident memory with %d pods: %d MiB | | | |\n", pods, s.residentMiB())
	for _, work := range []struct {
		name string
		do   func(int) error
	}{
		{"get a Pod", func(i int) error {
			_, err := s.call(i, "GET", space(i%pods, "pods/pod-"+strconv.Itoa(i%pods)), "", "")
			return err
		}},
		{"get a Pod as protobuf", func(i int) error {
			_, err := s.callAs(protobuf, i, "GET", space(i%pods, "pods/pod-"+strconv.Itoa(i%pods)), "", "")
			return err
		}},
		{"strategic merge patch of pods/status", func(i int) error {
			body := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","message":"m%d"}]}}`, i)
			_, err := s.call(i, "PATCH", space(i%pods, "pods/pod-"+strconv.Itoa(i%pods)+"/status"), "application/strategic-merge-patch+json", body)
			return err
		}},
		{"list 500 Pods", func(i int) error {
			_, err := s.call(i, "GET", "/api/v1/namespaces/bench-"+strconv.Itoa(i%namespaces)+"/pods?limit=500", "", "")
			return err
		}},
		{"list 500 Pods as protobuf", func(i int) error {
			_, err := s.callAs(protobuf, i, "GET", "/api/v1/namespaces/bench-"+strconv.Itoa(i%namespaces)+"/pods?limit=500", "", "")
			return err
		}},
		{"merge patch of a Lease", func(i int) error {
			body := fmt.Sprintf(`{"spec":{"holderIdentity":"h%d","leaseDurationSeconds":15,"renewTime":"2026-01-01T00:00:00.%06dZ"}}`, i, i%1000000)
			path := "/apis/coordination.k8s.io/v1/namespaces/bench-" + strconv.Itoa(i%namespaces) + "/leases/lease-" + strconv.Itoa(i%leases)
			_, err := s.call(i, "PATCH", path, "application/merge-patch+json", body)
			return err
		}},
		{"server-side apply of a ConfigMap", func(i int) error {
			name := fmt.Sprintf("applied-%d", i%maps)
			body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s"},"data":{"a":"%s","n":"%d"}}`, name, strings.Repeat("x", 1000), i)
			_, err := s.call(i, "PATCH", space(i%maps, "configmaps/"+name+"?fieldManager=bench&force=true"), "application/apply-patch+yaml", body)
			return err
		}},
		{fmt.Sprintf("list %d Pods", pods), func(i int) error { _, err := s.call(i, "GET", "/api/v1/pods?resourceVersion=0", "", ""); return err }},
	} {
		if err := s.report(work.name, s.during(span, work.do)); err != nil {
			return err
		}
	}
	return s.fanOut(span)
}

func space(i int, rest string) string {
	return "/api/v1/namespaces/bench-" + strconv.Itoa(i%namespaces) + "/" + rest
}

// pod is an object of about 5 KB: two containers with twenty variables each.
func pod(i int) string {
	var env []string
	for n := range 20 {
		env = append(env, fmt.Sprintf(`{"name":"VARIABLE_%02d","value":"%s"}`, n, strings.Repeat("v", 60)))
	}
	container := `{"name":"%s","image":"registry.example.com/team/app:1.2.3","env":[` + strings.Join(env, ",") + `],"resources":{"requests":{"cpu":"100m","memory":"128Mi"}}}`
	return fmt.Sprintf(`{"metadata":{"name":"pod-%d","labels":{"app":"a%d"}},"spec":{"containers":[%s,%s]}}`, i, i%50, fmt.Sprintf(container, "one"), fmt.Sprintf(container, "two"))
}

// fanOut follows one namespace with many watchers and counts delivered events.
func (s *server) fanOut(span time.Duration) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var delivered atomic.Int64
	var group sync.WaitGroup
	for i := range watchers {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.host+"/api/v1/namespaces/bench-0/configmaps?watch=true", nil)
		if err != nil {
			return err
		}
		response, err := s.clients[i%len(s.clients)].Do(request)
		if err != nil {
			return err
		}
		group.Go(func() {
			defer response.Body.Close()
			lines := bufio.NewReaderSize(response.Body, 1<<16)
			for {
				if _, err := lines.ReadSlice('\n'); err != nil && err != bufio.ErrBufferFull {
					return
				} else if err == nil {
					delivered.Add(1)
				}
			}
		})
	}
	time.Sleep(time.Second)
	before, started, first := s.cpu(), time.Now(), delivered.Load()
	var latencies []time.Duration
	for i := 0; time.Since(started) < span; i++ {
		begun := time.Now()
		want := delivered.Load() + watchers
		if _, err := s.call(0, "PATCH", "/api/v1/namespaces/bench-0/configmaps/cm-0", "application/merge-patch+json", fmt.Sprintf(`{"data":{"n":"%d"}}`, i)); err != nil {
			return err
		}
		for delivered.Load() < want && time.Since(begun) < time.Second {
			time.Sleep(50 * time.Microsecond)
		}
		latencies = append(latencies, time.Since(begun))
	}
	result := outcome{count: int(delivered.Load() - first), span: time.Since(started), cpu: s.cpu() - before, latencies: latencies}
	cancel()
	group.Wait()
	return s.report(fmt.Sprintf("one event to one of %d watchers (latency: to all of them)", watchers), result)
}

// outcome is what a stretch of work came to.
type outcome struct {
	count     int
	span, cpu time.Duration
	latencies []time.Duration
	err       error
}

func (s *server) report(name string, o outcome) error {
	if o.err != nil {
		return fmt.Errorf("%s: %w", name, o.err)
	}
	if o.count == 0 {
		return fmt.Errorf("%s: nothing was done", name)
	}
	sort.Slice(o.latencies, func(i, j int) bool { return o.latencies[i] < o.latencies[j] })
	at := func(share float64) time.Duration { return o.latencies[int(float64(len(o.latencies)-1)*share)] }
	each := o.cpu / time.Duration(o.count)
	fmt.Printf("| %s | %.0f | %.3f ms | %.2f / %.2f ms |\n", name, float64(o.count)/o.span.Seconds(), float64(each)/1e6, float64(at(0.5))/1e6, float64(at(0.99))/1e6)
	return nil
}

func (s *server) during(span time.Duration, do func(int) error) outcome {
	deadline := time.Now().Add(span)
	return s.work(func(int) bool { return time.Now().Before(deadline) }, do)
}

func (s *server) times(n int, do func(int) error) outcome {
	return s.work(func(i int) bool { return i < n }, do)
}

func (s *server) work(more func(int) bool, do func(int) error) outcome {
	var next atomic.Int64
	var mutex sync.Mutex
	var result outcome
	var group sync.WaitGroup
	before, started := s.cpu(), time.Now()
	for range inFlight {
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

func (s *server) call(i int, method, path, contentType, body string) (int, error) {
	return s.callAs("application/json", i, method, path, contentType, body)
}

func (s *server) callAs(accept string, i int, method, path, contentType, body string) (int, error) {
	request, err := http.NewRequest(method, s.host+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	request.Header.Set("Accept", accept)
	response, err := s.clients[i%len(s.clients)].Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(response.Body)
		return 0, fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, bytes.TrimSpace(text))
	}
	n, err := io.Copy(io.Discard, response.Body)
	return int(n), err
}

// start runs the server and returns how long it took to be ready.
func (s *server) start(program string) (time.Duration, error) {
	kubeconfig := filepath.Join(s.dir, "admin.kubeconfig")
	_ = os.Remove(kubeconfig)
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return 0, err
	}
	s.command = exec.Command(program, "serve", "--data-dir", s.dir, "--secure-port", "0")
	s.command.Stdout, s.command.Stderr = log, log
	begun := time.Now()
	if err := s.command.Start(); err != nil {
		return 0, err
	}
	for time.Since(begun) < time.Minute {
		if err := s.connect(kubeconfig); err == nil {
			if _, err := s.call(0, "GET", "/readyz", "", ""); err == nil {
				return time.Since(begun), nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return 0, fmt.Errorf("the server was not ready within a minute; see %s", log.Name())
}

func (s *server) connect(kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	s.host, s.clients = config.Host, nil
	for range connections {
		tls, err := rest.TLSConfigFor(config)
		if err != nil {
			return err
		}
		transport := &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true, DisableCompression: true, MaxConnsPerHost: 1}
		s.clients = append(s.clients, &http.Client{Transport: transport})
	}
	return nil
}

func (s *server) stop() {
	_ = s.command.Process.Signal(os.Interrupt)
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
}

// cpu is the user and system time the server has used, in units of ten milliseconds.
func (s *server) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / clockTicks
}

func (s *server) residentMiB() int {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.command.Process.Pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return pages * os.Getpagesize() >> 20
}
