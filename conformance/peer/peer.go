// Package peer builds and starts the real kube-apiserver with etcd, to compare Gatehouse with. Both are ordinary
// dependencies of this module. It gives no verdict: whoever asks it compares.
package peer

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
)

const (
	// Version is what the peer says it is.
	Version = "v1.37.2"
	// ServiceRange is where Services get their addresses; Gatehouse is given the same.
	ServiceRange = "10.0.0.0/16"
	// Issuer is the name in the tokens of service accounts.
	Issuer = "https://kubernetes.default.svc"

	readyTimeout = 3 * time.Minute
	keyBits      = 2048
)

// Alike are the flags with which Gatehouse is what the peer is: no controllers, the same rights, names and addresses.
var Alike = []string{"--controllers=-*", "--authorization-mode=Node,RBAC", "--service-account-issuer", Issuer,
	"--service-cluster-ip-range", ServiceRange, "--allow-privileged"}

// Peer is a running kube-apiserver and its etcd.
type Peer struct {
	// Config reaches it without any credential.
	Config *rest.Config
	// Dir holds its keys, its data and its logs.
	Dir string

	etcd      *Etcd
	apiserver *exec.Cmd
}

// Build puts both programs into a folder and returns their paths. The first time takes many minutes of CPU.
func Build(ctx context.Context, module, folder string) (apiserver, etcd string, err error) {
	if etcd, err = BuildEtcd(ctx, module, folder); err != nil {
		return "", "", err
	}
	return filepath.Join(folder, "kube-apiserver"), etcd, BuildKubernetes(ctx, module, folder, "kube-apiserver")
}

// BuildKubernetes puts one of Kubernetes' own programs into a folder under its name.
func BuildKubernetes(ctx context.Context, module, folder, name string) error {
	version := "-X k8s.io/component-base/version.gitVersion=" + Version +
		" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37"
	return buildProgram(ctx, module, filepath.Join(folder, name), version, "k8s.io/kubernetes/cmd/"+name)
}

// BuildEtcd puts etcd alone into a folder and returns its path.
func BuildEtcd(ctx context.Context, module, folder string) (string, error) {
	etcd := filepath.Join(folder, "etcd")
	return etcd, buildProgram(ctx, module, etcd, "", "go.etcd.io/etcd/server/v3")
}

func buildProgram(ctx context.Context, module, out, flags, source string) error {
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", flags, "-o", out, source)
	build.Dir = module
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, output)
	}
	return nil
}

// Start runs both on free ports with a fresh data directory, and waits until the server is ready. Extra flags are the
// server's own; those given here win over the peer's.
func Start(ctx context.Context, apiserver, etcd, dir string, flags ...string) (*Peer, error) {
	store, err := StartEtcd(ctx, etcd, dir)
	if err != nil {
		return nil, err
	}
	p, err := StartOn(ctx, apiserver, store.URL, dir, flags...)
	if err != nil {
		store.Stop()
		return nil, err
	}
	p.etcd = store
	return p, nil
}

// StartOn runs kube-apiserver on an etcd that is there, and waits until it is ready.
func StartOn(ctx context.Context, apiserver, store, dir string, flags ...string) (*Peer, error) {
	p := &Peer{Dir: dir}
	if err := p.start(ctx, apiserver, store, flags); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// Pid is the number of kube-apiserver's process.
func (p *Peer) Pid() int { return p.apiserver.Process.Pid }

// Stop ends it, and its etcd where that was started with it.
func (p *Peer) Stop() {
	if p.apiserver != nil {
		Kill(p.apiserver)
		p.apiserver = nil
	}
	if p.etcd != nil {
		p.etcd.Stop()
		p.etcd = nil
	}
}

func (p *Peer) start(ctx context.Context, apiserver, store string, flags []string) error {
	certificate, err := p.keys()
	if err != nil {
		return fmt.Errorf("make the keys of the peer: %w", err)
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(p.Dir, name) }
	own := []string{
		"--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", fmt.Sprint(port),
		"--tls-cert-file", in("serving.crt"), "--tls-private-key-file", in("serving.key"),
		"--service-account-issuer", Issuer, "--service-account-key-file", in("accounts.key"), "--service-account-signing-key-file", in("accounts.key"),
		"--service-cluster-ip-range", ServiceRange, "--authorization-mode", "Node,RBAC", "--allow-privileged",
	}
	if p.apiserver, err = Launch(p.Dir, apiserver, append(own, flags...)...); err != nil {
		return err
	}
	p.Config = &rest.Config{Host: fmt.Sprintf("https://127.0.0.1:%d", port), TLSClientConfig: rest.TLSClientConfig{CAData: certificate}}
	return p.waitReady(ctx)
}

// keys makes the serving certificate, which is its own authority, and the key that signs service accounts' tokens.
func (p *Peer) keys() ([]byte, error) {
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"})
	if err != nil {
		return nil, err
	}
	accounts, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	signing := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(accounts)})
	for name, text := range map[string][]byte{"serving.crt": certificate, "serving.key": key, "accounts.key": signing} {
		if err := os.WriteFile(filepath.Join(p.Dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	return certificate, nil
}

// Launch starts a program. What it prints goes to a file of its name in a folder.
func Launch(dir, program string, args ...string) (*exec.Cmd, error) {
	log, err := os.Create(filepath.Join(dir, filepath.Base(program)+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	process := exec.Command(program, args...)
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return process, nil
}

// Kill ends a program that was launched.
func Kill(process *exec.Cmd) {
	_ = process.Process.Kill()
	_ = process.Wait()
}

// Source is the folder of a module that the one in a folder depends on.
func Source(in, module string) (string, error) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	list.Dir = in
	out, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Gatehouse is the program to compare with: what GATEHOUSE names, or what a release build leaves.
func Gatehouse() string {
	if program := os.Getenv("GATEHOUSE"); program != "" {
		return program
	}
	return filepath.Join("..", "target", "release", "gatehouse")
}

// FreePort picks a port that nobody listens on; kube-apiserver cannot pick its own.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func (p *Peer) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client, err := rest.HTTPClientFor(p.Config)
	if err != nil {
		return err
	}
	last := errors.New("nothing was asked")
	for ctx.Err() == nil {
		if last = Ready(ctx, client, p.Config.Host); last == nil {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return fmt.Errorf("kube-apiserver was not ready within %v: %w; its log lies in %s", readyTimeout, last, p.Dir)
}

// Ready asks a server once whether it is ready.
func Ready(ctx context.Context, client *http.Client, host string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
