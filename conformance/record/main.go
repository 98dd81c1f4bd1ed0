// Command record asks the real kube-apiserver everything of the corpus, and puts writes before webhooks there, and writes
// what it answers to corpus/answers and webhooks/answers.txt, which the tests compare Gatehouse with. `cargo x record` runs it; the first time it builds kube-apiserver and etcd.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"gatehouse.dev/conformance/corpus"
	"gatehouse.dev/conformance/peer"
	"gatehouse.dev/conformance/webhooks"
)

func main() {
	module := flag.String("module", ".", "folder of this module")
	only := flag.String("only", "", "corpus or webhooks; both when empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := record(ctx, *module, *only); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func record(ctx context.Context, module, only string) error {
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
	policy, log := filepath.Join(dir, "audit-policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte(webhooks.AuditPolicy), 0o600); err != nil {
		return err
	}
	real, err := peer.Start(ctx, apiserver, etcd, dir, "--token-auth-file", tokens, "--audit-policy-file", policy, "--audit-log-path", log)
	if err != nil {
		return err
	}
	defer real.Stop()
	if only != "corpus" {
		if err := recordWebhooks(ctx, real, log, filepath.Join(module, "webhooks", "answers.txt")); err != nil {
			return err
		}
	}
	if only == "webhooks" {
		return nil
	}
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

func recordWebhooks(ctx context.Context, real *peer.Peer, log, path string) error {
	hooks, err := webhooks.Serve(webhooks.Names()...)
	if err != nil {
		return err
	}
	defer hooks.Close()
	stage, err := webhooks.New(real.Config, hooks, log)
	if err != nil {
		return err
	}
	cases, err := webhooks.Cases()
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, c := range cases {
		seen, err := stage.Play(ctx, c)
		if err != nil {
			return err
		}
		all.WriteString(seen)
	}
	return os.WriteFile(path, []byte(all.String()), 0o644)
}
