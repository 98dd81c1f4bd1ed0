package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"gatehouse.dev/conformance/corpus"
	"gatehouse.dev/conformance/peer"
)

const readyTimeout = 3 * time.Minute

// pair is the two servers that are asked.
type pair struct {
	gatehouse, upstream *corpus.Server
	// config reaches upstream as the administrator.
	config *rest.Config
	stop   func()
}

// start runs both with the flags of the corpus.
func start(ctx context.Context, module, gatehouse, dir string) (*pair, error) {
	apiserver, etcd, err := peer.Build(ctx, module, filepath.Join(module, "..", ".build"))
	if err != nil {
		return nil, err
	}
	flags, err := corpus.Flags(dir)
	if err != nil {
		return nil, err
	}
	upstream, err := peer.Start(ctx, apiserver, etcd, dir, flags...)
	if err != nil {
		return nil, err
	}
	config, kill, err := startGatehouse(ctx, gatehouse, dir, flags)
	if err != nil {
		upstream.Stop()
		return nil, err
	}
	p := &pair{stop: func() { upstream.Stop(); kill() }, config: rest.CopyConfig(upstream.Config)}
	p.config.BearerToken, p.config.QPS = corpus.AdminToken, -1
	if p.gatehouse, err = corpus.Connect(config); err == nil {
		p.upstream, err = corpus.Connect(upstream.Config)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func startGatehouse(ctx context.Context, program, dir string, flags []string) (*rest.Config, func(), error) {
	data := filepath.Join(dir, "gatehouse")
	args := slices.Concat([]string{"serve", "--data-dir", data, "--secure-port", "0"}, peer.Alike, flags)
	process, err := peer.Launch(dir, program, args...)
	if err != nil {
		return nil, nil, err
	}
	kill := func() { peer.Kill(process) }
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(data, "admin.kubeconfig"))
		if err == nil && ready(ctx, config) {
			return config, kill, nil
		}
	}
	kill()
	text, _ := os.ReadFile(filepath.Join(dir, filepath.Base(program)+".log"))
	return nil, nil, fmt.Errorf("%s was not ready within %v:\n%s", program, readyTimeout, text)
}

func ready(ctx context.Context, config *rest.Config) bool {
	client, err := rest.HTTPClientFor(config)
	return err == nil && peer.Ready(ctx, client, config.Host) == nil
}
