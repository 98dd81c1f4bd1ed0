// Command mutate looks for questions that the corpus does not ask. It starts the real kube-apiserver and Gatehouse, takes
// valid objects of every built-in kind, changes one field at a time (away, null, of another type, odd texts and numbers,
// elements twice, members that exclude each other, names that nobody knows), sends each change to both as a create, an
// update, a merge patch or a new status, and prints what they answer otherwise, sorted by cause. Nothing is kept in the
// servers, and nothing is recorded: a cause that was mended leaves a line in corpus/.
//
//	go run ./mutate [-only 'full-(pod|service)'] [-seed 2] [-modes create,update] [-most 400] [-show 3]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"gatehouse.dev/conformance/corpus"
	"gatehouse.dev/conformance/peer"
)

// batch is how many objects are asked about before the next ones are.
const batch = 8

type options struct {
	module, gatehouse, only, except, modes, keep string
	seed                                         uint64
	most, contexts, show                         int
	within                                       time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.module, "module", ".", "folder of this module")
	flag.StringVar(&o.gatehouse, "gatehouse", peer.Gatehouse(), "the server's program")
	flag.StringVar(&o.only, "only", "", "an expression of the names of objects; all when empty")
	flag.StringVar(&o.except, "except", "^$", "an expression of causes that are known and not printed")
	flag.StringVar(&o.modes, "modes", "create,update,patch,status", "what changed objects are sent for")
	flag.StringVar(&o.keep, "keep", "", "a file for all differences with both answers, a JSON object a line")
	flag.Uint64Var(&o.seed, "seed", 1, "chooses among the odd values")
	flag.IntVar(&o.most, "most", 2000, "how many changes of an object are sent in each mode")
	flag.IntVar(&o.contexts, "contexts", 1, "how many objects each change to a field of a type is tried in")
	flag.DurationVar(&o.within, "within", time.Hour, "after this time no further objects are asked about")
	flag.IntVar(&o.show, "show", 2, "how many examples of a cause are printed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	except, err := regexp.Compile(o.except)
	if err != nil {
		return err
	}
	folder, err := peer.Source(".", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	all, err := readSchemas(folder)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gatehouse-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, err := start(ctx, o.module, o.gatehouse, dir)
	if err != nil {
		return err
	}
	defer servers.stop()
	objects, err := bases(ctx, servers.config, all)
	if err != nil {
		return err
	}
	choose := &chooser{all: all, random: rand.New(rand.NewPCG(o.seed, 0)), contexts: o.contexts, most: o.most, only: only, seen: map[string]int{}}
	begun := time.Now()
	differences, asked := servers.all(ctx, choose, objects, strings.Split(o.modes, ","), begun.Add(o.within))
	sorted := clusters(differences)
	for _, one := range sorted {
		if !except.MatchString(one.cause) {
			one.print(o.show)
		}
	}
	fmt.Printf("%d requests compared in %v; %d are answered otherwise, for %d causes\n", asked, time.Since(begun).Round(time.Second), len(differences), len(sorted))
	if o.keep != "" {
		return keep(o.keep, differences)
	}
	return nil
}

// all asks in all modes: first what needs nothing that is there, then about the objects that both take.
func (p *pair) all(ctx context.Context, choose *chooser, objects []*base, modes []string, until time.Time) (differences []difference, asked int) {
	var later []mode
	var creating bool
	for _, name := range modes {
		if mode(name) == create {
			creating = true
		} else {
			later = append(later, mode(name))
		}
	}
	var chosen []*base
	for _, one := range objects {
		if choose.only.MatchString(one.name) {
			chosen = append(chosen, one)
		}
	}
	for some := range slices.Chunk(chosen, batch) {
		if ctx.Err() != nil || time.Now().After(until) {
			break
		}
		found, count := p.batch(ctx, choose, some, creating, later)
		differences, asked = append(differences, found...), asked+count
		fmt.Fprintf(os.Stderr, "%s: %d requests, %d answered otherwise\n", some[len(some)-1].name, asked, len(differences))
	}
	return differences, asked
}

// batch asks about some objects: their creates before they are there, all else after.
func (p *pair) batch(ctx context.Context, choose *chooser, some []*base, creating bool, later []mode) (differences []difference, asked int) {
	p.each(ctx, some, preparation)
	var questions []question
	if creating {
		for _, one := range some {
			questions = append(questions, choose.questions(one, create)...)
		}
		differences, asked = p.compare(ctx, questions), len(questions)
		questions = nil
	}
	var there []*base
	for _, one := range some {
		if !one.invalid && !one.fleeting && len(later) > 0 {
			there = append(there, one)
		}
	}
	for _, one := range p.each(ctx, there, making) {
		questions = append(questions, choose.questions(one, later...)...)
	}
	return append(differences, p.compare(ctx, questions)...), asked + len(questions)
}

// each does something with every object, tells where the servers differ, and gives those that upstream takes.
func (p *pair) each(ctx context.Context, objects []*base, do func(*base) corpus.Scenario) (taken []*base) {
	var asked []corpus.Scenario
	for _, one := range objects {
		asked = append(asked, do(one))
	}
	ours, theirs := p.both(ctx, asked)
	for i, one := range objects {
		good := len(theirs[i]) > 0 && len(ours[i]) > 0
		for number := range min(len(ours[i]), len(theirs[i])) {
			got, want := plain(ours[i][number]), plain(theirs[i][number])
			if !one.invalid && want.Code >= 300 {
				fmt.Printf("! %s is refused: %s\n", one.name, want.Body)
			}
			if found := causes(got, want); len(found) > 0 && !one.invalid {
				fmt.Printf("! %s: %s\n", one.name, strings.Join(found, "\n    "))
			}
			good = good && want.Code < 300 && got.Code < 300
		}
		if good {
			taken = append(taken, one)
		}
	}
	return taken
}

func (c cluster) print(examples int) {
	fmt.Printf("== %d: %s\n", len(c.of), c.cause)
	for _, one := range c.of[:min(examples, len(c.of))] {
		fmt.Printf("   %s\n     here %d %s\n     upstream %d %s\n", one, one.got.Code, told(one.got), one.want.Code, told(one.want))
	}
}

// told is what an answer says, at most a few lines of it.
func told(answer corpus.Answer) string {
	const most = 600
	text := answer.Body
	if status, refused := statusOf(answer); refused {
		text = status.Message
	}
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n       ")
}

// keep writes the differences for a closer look.
func keep(name string, differences []difference) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	encoder := json.NewEncoder(file)
	for _, one := range differences {
		line := map[string]any{"question": one.String(), "do": one.step.Do, "body": one.step.Body, "causes": one.causes, "here": one.got, "upstream": one.want}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return file.Close()
}
