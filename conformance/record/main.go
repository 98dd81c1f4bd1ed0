// Command record asks the real kube-apiserver everything of the corpus and writes its answers to corpus/answers, which the
// test compares Gatehouse with. `cargo x record` runs it; the first time it builds kube-apiserver and etcd.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"gatehouse.dev/conformance/corpus"
	"gatehouse.dev/conformance/peer"
)

func main() {
	module := flag.String("module", ".", "folder of this module")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := record(ctx, *module); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func record(ctx context.Context, module string) error {
	module, err := filepath.Abs(module)
	if err != nil {
		return err
	}
	apiserver, etcd, err := peer.Build(ctx, module, filepath.Join(module, "..", ".build"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gatehouse-peer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(corpus.Tokens), 0o600); err != nil {
		return err
	}
	real, err := peer.Start(ctx, apiserver, etcd, dir, "--token-auth-file", tokens)
	if err != nil {
		return err
	}
	defer real.Stop()
	server, err := corpus.Connect(real.Config)
	if err != nil {
		return err
	}
	scenarios, err := corpus.Load()
	if err != nil {
		return err
	}
	answers, err := corpus.RunAll(ctx, server, scenarios)
	if err != nil {
		return err
	}
	return corpus.Write(filepath.Join(module, "corpus", "answers"), scenarios, answers)
}
