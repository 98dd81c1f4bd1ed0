// Command record asks the real kube-apiserver and writes its answers, which tests compare Gatehouse with: everything of the
// corpus to corpus/answers, writes before webhooks to webhooks/answers.txt, and the samples of operators to
// operators/answers. `cargo x record` runs it; the first time it builds kube-apiserver and etcd.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/corpus"
	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/operators"
	"gatehouse.dev/conformance/peer"
	"gatehouse.dev/conformance/webhooks"
)

// family is the only one that is asked, where one is named.
var family string

func main() {
	module := flag.String("module", ".", "folder of this module")
	only := flag.String("only", "", "corpus, webhooks or operators; all when empty")
	flag.StringVar(&family, "family", "", "this family of the corpus; all when empty")
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
	if only != "operators" {
		if err := recordCorpus(ctx, apiserver, etcd, module, only); err != nil {
			return err
		}
	}
	if only == "" || only == "operators" {
		return recordOperators(ctx, apiserver, etcd, module)
	}
	return nil
}

func recordCorpus(ctx context.Context, apiserver, etcd, module, only string) error {
	dir, err := os.MkdirTemp("", "gatehouse-peer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	policy, log := filepath.Join(dir, "audit-policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte(webhooks.AuditPolicy), 0o600); err != nil {
		return err
	}
	real, err := start(ctx, apiserver, etcd, dir, "--audit-policy-file", policy, "--audit-log-path", log)
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
	scenarios, err := corpus.Load()
	if err != nil {
		return err
	}
	if family != "" {
		scenarios = slices.DeleteFunc(scenarios, func(s corpus.Scenario) bool { return s.Family != family })
	}
	var answers [][]corpus.Answer
	scenarios, answers, err = ask(ctx, apiserver, etcd, real, scenarios)
	if err != nil {
		return err
	}
	folder := filepath.Join(module, "corpus", "answers")
	if family == "" {
		return corpus.Write(folder, scenarios, answers)
	}
	// The answers of other families stay.
	if err := corpus.Write(filepath.Join(dir, "answers"), scenarios, answers); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "answers", family+".txt"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, family+".txt"), text, 0o644)
}

// ask gives the answers to scenarios with these in the same order: of the server that is there, and of one more for each
// family that needs other flags.
func ask(ctx context.Context, apiserver, etcd string, real *peer.Peer, scenarios []corpus.Scenario) (asked []corpus.Scenario, answers [][]corpus.Answer, err error) {
	for _, group := range corpus.Groups(scenarios) {
		some, err := askGroup(ctx, apiserver, etcd, real, group)
		if err != nil {
			return nil, nil, err
		}
		asked, answers = append(asked, group.Scenarios...), append(answers, some...)
	}
	return asked, answers, nil
}

func askGroup(ctx context.Context, apiserver, etcd string, real *peer.Peer, group corpus.Group) ([][]corpus.Answer, error) {
	if len(group.Flags) > 0 {
		dir, err := os.MkdirTemp("", "gatehouse-peer-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if real, err = start(ctx, apiserver, etcd, dir, group.Flags...); err != nil {
			return nil, err
		}
		defer real.Stop()
	}
	server, err := corpus.Connect(real.Config)
	if err != nil {
		return nil, err
	}
	return corpus.RunAll(ctx, server, group.Scenarios)
}

// start runs a server that knows what the corpus needs.
func start(ctx context.Context, apiserver, etcd, dir string, flags ...string) (*peer.Peer, error) {
	own, err := corpus.Flags(dir)
	if err != nil {
		return nil, err
	}
	return peer.Start(ctx, apiserver, etcd, dir, append(flags, own...)...)
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

// recordOperators has samples judged by a server of their own, where their definitions disturb nobody.
func recordOperators(ctx context.Context, apiserver, etcd, module string) error {
	dir, err := os.MkdirTemp("", "gatehouse-peer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	real, err := start(ctx, apiserver, etcd, dir)
	if err != nil {
		return err
	}
	defer real.Stop()
	config := rest.CopyConfig(real.Config)
	config.BearerToken, config.QPS = corpus.AdminToken, -1
	server, err := operators.Connect(config)
	if err != nil {
		return err
	}
	for _, source := range operators.Sources {
		folder, err := harness.Download(ctx, module, source.Module, source.Sum)
		if err != nil {
			return err
		}
		files, err := source.Definitions(folder)
		if err != nil {
			return err
		}
		if err := operators.Install(ctx, config, files); err != nil {
			return err
		}
		answers, err := server.Judge(ctx, source, folder)
		if err != nil {
			return err
		}
		if err := operators.Write(filepath.Join(module, "operators", "answers"), source, answers); err != nil {
			return err
		}
	}
	return nil
}
