// Command bench measures what one operation costs a freshly started server: rate, CPU time of its processes and latency,
// for Gatehouse on both its engines and for kube-apiserver with etcd, one after the other with the same client. CPU is read
// from the kernel's account of those processes, so it hardly depends on what else runs. It prints a table and stores it with
// the figures and a plot.
//
//	cargo x bench [-only Gatehouse] [-heavy=false] [-seconds 5] [-policies]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse.dev/conformance/peer"
)

func main() {
	program := flag.String("gatehouse", peer.Gatehouse(), "the server's program")
	seconds := flag.Int("seconds", 5, "how long each kind of work is done")
	pods := flag.Int("pods", 5000, "how many pods are made")
	only := flag.String("only", "", "names of servers, with commas; all when empty")
	heavy := flag.Bool("heavy", true, "lists of a gigabyte, 10,000 idle watches and 150,000 Pods as well; takes the better part of an hour")
	policies := flag.Bool("policies", false, "Pods under 1 to 1,024 policies, 1,000 revisions of one, and others beside policies that do harm, instead of all else")
	definitions := flag.Bool("definitions", false, "requests that touch no custom resource, before and after a thousand definitions, instead of all else")
	out := flag.String("out", "../.build/bench", "where the table, the figures and the plot are stored")
	flag.Parse()
	b := &bench{span: time.Duration(*seconds) * time.Second, pods: *pods, heavy: *heavy, underPolicies: *policies, besideDefinitions: *definitions}
	if err := b.run(context.Background(), *program, *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one comparison.
type bench struct {
	span  time.Duration
	pods  int
	heavy bool
	// underPolicies measures policies and nothing else.
	underPolicies bool
	// besideDefinitions measures definitions and nothing else.
	besideDefinitions bool
	// results are in the order of the contenders; the last one is being filled.
	results []*result
}

// result is what one contender came to.
type result struct {
	Name  string             `json:"name"`
	Works map[string]figures `json:"works"`
	Notes map[string]float64 `json:"notes"`
	// order holds the names of both as they came.
	works, notes []string
	units        map[string]string
}

func (b *bench) run(ctx context.Context, gatehouse, only, out string) error {
	var names []string
	if only != "" {
		names = strings.Split(only, ",")
	}
	wanted := func(c contender) bool { return names == nil || slices.Contains(names, c.name) }
	var apiserver, etcd string
	if names == nil || slices.ContainsFunc(names, func(n string) bool { return n != "Gatehouse" }) {
		fmt.Fprintln(os.Stderr, "builds kube-apiserver and etcd; the first time takes minutes")
		var err error
		if apiserver, etcd, err = peer.Build(ctx, ".", "../.build"); err != nil {
			return err
		}
	}
	for _, c := range contenders(gatehouse, apiserver, etcd) {
		if !wanted(c) {
			continue
		}
		b.results = append(b.results, &result{Name: c.name, Works: map[string]figures{}, Notes: map[string]float64{}, units: map[string]string{}})
		if err := b.contend(ctx, c, gatehouse); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if len(b.results) == 0 {
		return fmt.Errorf("no server is called %q", only)
	}
	fmt.Print(b.table())
	return b.store(out)
}

// contend takes one server through everything, on fresh folders.
func (b *bench) contend(ctx context.Context, c contender, gatehouse string) error {
	if b.underPolicies {
		return b.policies(ctx, c, gatehouse)
	}
	if b.besideDefinitions {
		return inFolder(func(folder string) error { return b.definitions(ctx, c, folder) })
	}
	if err := inFolder(func(folder string) error { return b.daily(ctx, c, folder) }); err != nil || !b.heavy {
		return err
	}
	return inFolder(func(folder string) error { return b.manyPods(ctx, c, folder) })
}

func (b *bench) daily(ctx context.Context, c contender, folder string) error {
	s, err := c.start(ctx, folder)
	if err != nil {
		return err
	}
	b.note("ready, first start", s.ready.Seconds(), "s")
	s.stop()
	if s, err = c.start(ctx, folder); err != nil {
		return err
	}
	defer func() { s.stop() }()
	b.note("ready, second start", s.ready.Seconds(), "s")
	// A server goes on for a moment with what it put off until it was ready.
	time.Sleep(3 * time.Second)
	b.note("memory at rest", float64(s.residentMiB()), "MiB")
	if err := b.works(s); err != nil || !b.heavy {
		return err
	}
	more, err := s.idleMiB()
	if err != nil {
		return err
	}
	b.note("memory for 10,000 idle watches", float64(more), "MiB")
	return b.bigList(s)
}

// inFolder gives a folder that goes afterwards.
func inFolder(do func(string) error) error {
	folder, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	return do(folder)
}

func (b *bench) record(name string, o outcome) error {
	r := b.results[len(b.results)-1]
	f, err := o.figures()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.Works[name] = f
	r.works = append(r.works, name)
	fmt.Fprintf(os.Stderr, "%s: %s: %.3f ms of CPU, %.0f/s, p99 %.1f ms\n", r.Name, name, f.CPU, f.PerSecond, f.P99)
	return nil
}

func (b *bench) note(name string, value float64, unit string) {
	r := b.results[len(b.results)-1]
	r.Notes[name], r.units[name] = value, unit
	r.notes = append(r.notes, name)
	fmt.Fprintf(os.Stderr, "%s: %s: %.3g %s\n", r.Name, name, value, unit)
}

// store writes down the table, the figures and the plot.
func (b *bench) store(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	figures, err := b.json()
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"table.md": b.table(), "figures.json": figures, "plot.svg": b.plot()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
