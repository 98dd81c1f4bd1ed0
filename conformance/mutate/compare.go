package main

import (
	"context"
	"fmt"
	"os"

	"gatehouse.dev/conformance/corpus"
)

// both asks the two servers the same, one beside the other. A scenario that broke off has no answers.
func (p *pair) both(ctx context.Context, asked []corpus.Scenario) (ours, theirs [][]corpus.Answer) {
	done := make(chan error, 1)
	go func() {
		var err error
		theirs, err = corpus.RunAll(ctx, p.upstream, asked)
		done <- err
	}()
	ours, err := corpus.RunAll(ctx, p.gatehouse, asked)
	if err != nil {
		fmt.Fprintln(os.Stderr, "Gatehouse:", err)
	}
	if err := <-done; err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
	}
	if ours == nil || theirs == nil { // a server that takes nothing at all
		return make([][]corpus.Answer, len(asked)), make([][]corpus.Answer, len(asked))
	}
	return ours, theirs
}

// compare asks all questions and gives those that are answered otherwise, each time they are asked.
func (p *pair) compare(ctx context.Context, questions []question) []difference {
	if len(questions) == 0 {
		return nil
	}
	asked, of := scenarios(questions)
	ours, theirs := p.both(ctx, asked)
	var doubted []question
	for i := range asked {
		before := len(asked[i].Steps) - len(of[i])
		for number, q := range of[i] {
			if at := before + number; at < len(ours[i]) && at < len(theirs[i]) && len(causes(plain(ours[i][at]), plain(theirs[i][at]))) > 0 {
				doubted = append(doubted, q)
			}
		}
	}
	return p.again(ctx, doubted)
}

// again asks doubtful questions alone, several times: what upstream itself says in another order each time is compared
// without the order, and what it says otherwise each time is not compared.
func (p *pair) again(ctx context.Context, doubted []question) []difference {
	if len(doubted) == 0 {
		return nil
	}
	var asked []corpus.Scenario
	for i, q := range doubted {
		packed, _ := scenarios([]question{q})
		sorted := q.step
		sorted.Shuffled = true
		packed[0].Steps = append(packed[0].Steps, q.step, q.step, q.step, sorted)
		packed[0].Name = fmt.Sprint("again-", i)
		asked = append(asked, packed[0])
	}
	ours, theirs := p.both(ctx, asked)
	var differences []difference
	for i, q := range doubted {
		if len(ours[i]) != len(asked[i].Steps) || len(theirs[i]) != len(asked[i].Steps) {
			continue
		}
		last := len(asked[i].Steps) - 1
		got, want, steady := plain(ours[i][last-1]), plain(theirs[i][last-1]), true
		for back := 2; back <= 4; back++ {
			steady = steady && len(causes(plain(theirs[i][last-back]), want)) == 0
		}
		if !steady {
			got, want = plain(ours[i][last]), plain(theirs[i][last])
		}
		if found := causes(got, want); len(found) > 0 {
			differences = append(differences, difference{q, got, want, found})
		}
	}
	return differences
}
