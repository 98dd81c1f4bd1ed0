// Command tour runs upstream's own test-cmd suite, hack/make-rules/test-cmd.sh, with the real kubectl and the real
// kube-controller-manager against Gatehouse, the real kube-apiserver, or both, and says which of its parts end otherwise. The
// suite's scripts run from the module cache; nothing of them is here. It takes some twenty minutes.
//
//	go run ./tour [-servers gatehouse,kube-apiserver] [-only 'pod_tests|crd_tests'] [-keep FOLDER]
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"gatehouse.dev/conformance/peer"
)

//go:embed tour.sh
var script string

type options struct {
	module, gatehouse, servers, only, keep string
}

func main() {
	var o options
	flag.StringVar(&o.module, "module", ".", "folder of this module")
	flag.StringVar(&o.gatehouse, "gatehouse", peer.Gatehouse(), "the server's program")
	flag.StringVar(&o.servers, "servers", "gatehouse,kube-apiserver", "who is asked, at the same time")
	flag.StringVar(&o.only, "only", ".*", "an expression of the names of parts, without their run_")
	flag.StringVar(&o.keep, "keep", "", "a folder for what each part prints")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "gatehouse-tour-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.keep == "" {
		o.keep = filepath.Join(dir, "kept")
	}
	names := strings.Split(o.servers, ",")
	built, err := build(ctx, o.module, names)
	if err != nil {
		return err
	}
	results, failures := make([][]result, len(names)), make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { results[i], failures[i] = visit(ctx, o, built, name, filepath.Join(dir, name)) })
	}
	all.Wait()
	for i, err := range failures {
		if err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
	}
	return report(names, results)
}

// visit runs the suite on one server.
func visit(ctx context.Context, o options, built programs, name, dir string) ([]result, error) {
	logs, err := filepath.Abs(filepath.Join(o.keep, name))
	if err != nil {
		return nil, err
	}
	for _, folder := range []string{dir, logs} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	suite, err := tree(dir, built)
	if err != nil {
		return nil, err
	}
	port, stop, err := start(ctx, o, built, name, dir, suite)
	if err != nil {
		return nil, err
	}
	defer stop()
	stopController, err := startControllerManager(ctx, built, dir, suite, port)
	if err != nil {
		return nil, err
	}
	defer stopController()
	return play(ctx, name, suite, port, logs, o.only)
}

// play runs the scripts and reads how each part ended.
func play(ctx context.Context, name, suite, port, logs, only string) ([]result, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	log, err := os.Create(filepath.Join(logs, "between.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.CommandContext(ctx, "bash", "-c", script)
	command.Dir, command.Stdout, command.Stderr, command.ExtraFiles = suite, log, log, []*os.File{write}
	command.Env = append(os.Environ(), "SECURE_API_PORT="+port, "LOGS="+logs, "ONLY="+only, "KUBECONFIG=")
	err = command.Start()
	_ = write.Close()
	if err != nil {
		return nil, err
	}
	results := readResults(read, func(one result) {
		if one.code != 0 {
			fmt.Fprintf(os.Stderr, "%s: %s ended with %d after %d s\n", name, one.part, one.code, one.seconds)
		}
	})
	if err := command.Wait(); err != nil {
		return results, fmt.Errorf("the suite's script: %w", err)
	}
	return results, nil
}
