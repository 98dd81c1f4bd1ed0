package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"gatehouse.dev/conformance/peer"
)

const (
	// connections are what the work is spread over.
	connections = 4
	// token is the administrator's of every server: the same way through authentication for all.
	token  = "bench-token"
	tokens = token + `,bench,bench,"system:masters"` + "\n"
	// quota lets etcd hold what the heavy work writes; its default is 2 GiB.
	quota        = "--quota-backend-bytes=8589934592"
	readyTimeout = 3 * time.Minute
)

// contender is a kind of server that is started, again and again, on a folder of its own.
type contender struct {
	name string
	// start takes flags of Gatehouse besides.
	start func(ctx context.Context, folder string, flags ...string) (*server, error)
}

// server is a running contender.
type server struct {
	host    string
	trust   []byte
	clients []*http.Client
	// pids are all its processes; what they use is counted together.
	pids []int
	// ready is how long the API server took from its start until it said that it is ready; etcd was there before.
	ready time.Duration
	stop  func()
}

// contenders are Gatehouse on its own engine, Gatehouse on etcd, and kube-apiserver on etcd.
func contenders(gatehouse, apiserver, etcd string) []contender {
	return []contender{
		{"Gatehouse", func(ctx context.Context, folder string, flags ...string) (*server, error) {
			return startGatehouse(ctx, gatehouse, folder, flags...)
		}},
		{"Gatehouse on etcd", func(ctx context.Context, folder string, flags ...string) (*server, error) {
			return onEtcd(ctx, etcd, folder, func(url string) (*server, error) {
				return startGatehouse(ctx, gatehouse, folder, append(flags, "--etcd-servers", url)...)
			})
		}},
		{"kube-apiserver", func(ctx context.Context, folder string, _ ...string) (*server, error) {
			return onEtcd(ctx, etcd, folder, func(url string) (*server, error) { return startPeer(ctx, apiserver, url, folder) })
		}},
	}
}

// onEtcd starts an etcd that syncs what it acknowledges, and a server on it.
func onEtcd(ctx context.Context, program, folder string, start func(url string) (*server, error)) (*server, error) {
	store, err := peer.StartEtcd(ctx, program, folder, append([]string{quota}, peer.Durable...)...)
	if err != nil {
		return nil, err
	}
	s, err := start(store.URL)
	if err != nil {
		store.Stop()
		return nil, err
	}
	alone := s.stop
	s.pids = append(s.pids, store.Pid())
	s.stop = func() { alone(); store.Stop() }
	return s, nil
}

func startPeer(ctx context.Context, program, store, folder string) (*server, error) {
	file, err := tokenFile(folder)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	p, err := peer.StartOn(ctx, program, store, folder, "--token-auth-file", file)
	if err != nil {
		return nil, err
	}
	s := &server{pids: []int{p.Pid()}, stop: p.Stop, ready: time.Since(begun), host: p.Config.Host, trust: p.Config.CAData}
	return s, s.connect()
}

func startGatehouse(ctx context.Context, program, folder string, flags ...string) (*server, error) {
	file, err := tokenFile(folder)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(folder, "admin.kubeconfig")
	_ = os.Remove(kubeconfig)
	begun := time.Now()
	process, err := peer.Launch(folder, program, append([]string{"serve", "--data-dir", folder, "--secure-port", "0", "--token-auth-file", file}, flags...)...)
	if err != nil {
		return nil, err
	}
	s := &server{pids: []int{process.Process.Pid}, stop: func() { peer.Kill(process) }}
	for time.Since(begun) < readyTimeout && ctx.Err() == nil {
		if s.found(kubeconfig) && s.get(0, "/readyz") == nil {
			s.ready = time.Since(begun)
			return s, nil
		}
		time.Sleep(time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("Gatehouse was not ready within %v; its log lies in %s", readyTimeout, folder)
}

// found says whether the server has written down where it serves.
func (s *server) found(kubeconfig string) bool {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil || rest.LoadTLSFiles(config) != nil {
		return false
	}
	s.host, s.trust = config.Host, config.CAData
	return s.connect() == nil
}

func tokenFile(folder string) (string, error) {
	name := filepath.Join(folder, "tokens.csv")
	return name, os.WriteFile(name, []byte(tokens), 0o600)
}

// connect makes the clients that the work goes through.
func (s *server) connect() error {
	s.clients = nil
	for range connections {
		client, err := s.client()
		if err != nil {
			return err
		}
		s.clients = append(s.clients, client)
	}
	return nil
}

// client is one connection, HTTP/2 and uncompressed.
func (s *server) client() (*http.Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.trust) {
		return nil, fmt.Errorf("%s shows no certificate authority", s.host)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableCompression: true, MaxConnsPerHost: 1}}, nil
}
