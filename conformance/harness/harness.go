// Package harness starts Gatehouse and the real kubectl for the tests of this module.
// It is a client: it knows the program's command line and nothing of its insides.
package harness

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// readyTimeout bounds the wait for a server; a loaded machine starts it far slower than an idle one.
const readyTimeout = 60 * time.Second

// Server is a running Gatehouse with its own data directory.
type Server struct {
	// DataDir holds all state and survives Kill and Restart.
	DataDir string
	// Kubeconfig is the administrator's.
	Kubeconfig string
	// Config is the same as a client-go configuration, without its request limits.
	Config *rest.Config

	t       testing.TB
	args    []string
	process *exec.Cmd
	log     *os.File
}

// Root is the repository's top folder.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the source file of the harness is unknown; run the tests with 'go test' in conformance/")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Gatehouse is the program under test: $GATEHOUSE, or the release build.
func Gatehouse(t testing.TB) string {
	t.Helper()
	program := os.Getenv("GATEHOUSE")
	if program == "" {
		program = filepath.Join(Root(t), "target", "release", "gatehouse")
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the server is not built: run 'cargo build --release -p gatehouse' in %s (%v)", Root(t), err)
	}
	return program
}

// Needs fails a test for want of a program, with the way to get it.
func Needs(t testing.TB, program, remedy string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is missing: %s", program, remedy)
	}
}

var kubectl struct {
	once sync.Once
	path string
	err  error
}

// Kubectl builds the real kubectl once and returns its path.
func Kubectl(t testing.TB) string {
	t.Helper()
	kubectl.once.Do(func() {
		out := filepath.Join(Root(t), ".build", "kubectl")
		flags := "-X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37"
		build := exec.Command("go", "build", "-ldflags", flags, "-o", out, "k8s.io/kubernetes/cmd/kubectl")
		build.Dir = filepath.Join(Root(t), "conformance")
		if output, err := build.CombinedOutput(); err != nil {
			kubectl.err = fmt.Errorf("build kubectl: %w\n%s", err, output)
		}
		kubectl.path = out
	})
	if kubectl.err != nil {
		t.Fatal(kubectl.err)
	}
	return kubectl.path
}

// Start runs a server on a free port with a fresh data directory and waits until it is ready.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return StartIn(t, t.TempDir(), args...)
}

// StartIn does so with a data directory that may hold something.
func StartIn(t testing.TB, dir string, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, DataDir: dir, Kubeconfig: filepath.Join(dir, "admin.kubeconfig"), args: args}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// Restart starts the server again on the same data directory, after Kill or Stop.
func (s *Server) Restart() {
	s.t.Helper()
	_ = os.Remove(s.Kubeconfig)
	log, err := os.OpenFile(filepath.Join(s.DataDir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = log
	args := append([]string{"serve", "--data-dir", s.DataDir, "--secure-port", "0"}, s.args...)
	s.process = exec.Command(Gatehouse(s.t), args...)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.waitReady()
}

func (s *Server) waitReady() {
	s.t.Helper()
	deadline := time.Now().Add(readyTimeout)
	var last error
	for time.Now().Before(deadline) {
		if config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig); err != nil {
			last = err
		} else {
			config.QPS, config.Burst = -1, 0
			s.Config = config
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				s.t.Fatal(err)
			}
			_, last = client.RESTClient().Get().AbsPath("/readyz").DoRaw(s.t.Context())
			if last == nil {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("the server was not ready within %v: %v\n%s", readyTimeout, last, s.Log())
}

// Kill ends the process at once, as a crash would.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop asks the process to drain and waits for its end.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal syscall.Signal) {
	if s.process == nil || s.process.Process == nil {
		return
	}
	_ = s.process.Process.Signal(signal)
	_ = s.process.Wait()
	s.process = nil
	_ = s.log.Close()
}

// Pid is the number of the server's process.
func (s *Server) Pid() int { return s.process.Process.Pid }

// Memory is what the server's process holds in memory, in bytes.
func (s *Server) Memory() int64 {
	s.t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.Pid()), "status"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return kib * 1024
		}
	}
	s.t.Fatal("the process tells no resident size")
	return 0
}

// Alive says whether the process still runs.
func (s *Server) Alive() bool {
	return s.process != nil && s.process.Process.Signal(syscall.Signal(0)) == nil
}

// In is the same server for a subtest, which then fails by itself.
func (s *Server) In(t testing.TB) *Server {
	inner := *s
	inner.t = t
	return &inner
}

// Log is what the server has printed.
func (s *Server) Log() string {
	log, _ := os.ReadFile(filepath.Join(s.DataDir, "server.log"))
	return string(log)
}

// Client is a typed client as the administrator.
func (s *Server) Client() *kubernetes.Clientset {
	s.t.Helper()
	client, err := kubernetes.NewForConfig(s.Config)
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// HTTP is a plain client that trusts the server, without any credential.
func (s *Server) HTTP() *http.Client {
	s.t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.Config.CAData) {
		s.t.Fatal("the kubeconfig carries no certificate authority")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// Run runs kubectl and returns what it printed on both streams, and how it ended.
func (s *Server) Run(stdin string, args ...string) (stdout, stderr string, err error) {
	s.t.Helper()
	command := exec.CommandContext(s.t.Context(), Kubectl(s.t), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig, "HOME="+s.DataDir, "KUBECACHEDIR="+filepath.Join(s.DataDir, "kubecache"))
	command.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// OK runs kubectl, which must succeed, and returns its standard output.
func (s *Server) OK(stdin string, args ...string) string {
	s.t.Helper()
	stdout, stderr, err := s.Run(stdin, args...)
	if err != nil {
		s.t.Fatalf("kubectl %s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

// Refused runs kubectl, which must fail, and returns its standard error.
func (s *Server) Refused(stdin string, args ...string) string {
	s.t.Helper()
	stdout, stderr, err := s.Run(stdin, args...)
	if err == nil {
		s.t.Fatalf("kubectl %s succeeded and should not have:\n%s%s", strings.Join(args, " "), stdout, stderr)
	}
	return stderr
}

// Contains fails the test unless text contains every part.
func Contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

// Eventually waits until check passes.
func Eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for time.Now().Before(deadline) {
		if check() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s did not happen within %v", what, readyTimeout)
}
