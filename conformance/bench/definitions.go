package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
)

const (
	// manyDefinitions are installed beside the work that has nothing to do with them.
	manyDefinitions = 1_000
	// rounds are how often that work is done before and after; the least counts, for the machine does other things too.
	rounds = 3
)

// definitions measures what a thousand definitions cost requests that touch none of them, and what memory.
func (b *bench) definitions(ctx context.Context, c contender, folder string) error {
	s, err := c.start(ctx, folder)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.prepare(); err != nil {
		return err
	}
	s.rest()
	var made atomic.Int64
	if err := b.untouched(s, "beside no definition", &made); err != nil {
		return err
	}
	before := s.residentMiB()
	if err := s.times(manyDefinitions, s.define).err; err != nil {
		return err
	}
	s.rest()
	b.note("memory for a definition", 1024*float64(s.residentMiB()-before)/manyDefinitions, "KiB")
	return b.untouched(s, "beside 1,000 definitions", &made)
}

// untouched does what no definition is about, several times.
func (b *bench) untouched(s *server, beside string, made *atomic.Int64) error {
	for _, w := range []struct {
		name string
		do   func(int) error
	}{
		{"create a ConfigMap of 1 KB", func(int) error { return s.createMap(int(made.Add(1) - 1)) }},
		{"get a ConfigMap", func(i int) error { return s.get(i, space(i, fmt.Sprintf("configmaps/cm-%d", i%namespaces))) }},
		{"list 10 Leases", func(i int) error { return s.get(i, leasePath(i, "?limit=10")) }},
		{"discovery of the core group", func(i int) error { return s.get(i, "/api/v1") }},
	} {
		done, err := least(func() outcome { return s.during(b.span, w.do) })
		if err == nil {
			err = b.record(w.name+", "+beside, done)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// least is the round that took the least CPU for an operation.
func least(do func() outcome) (outcome, error) {
	var cheapest outcome
	var cost float64
	for round := range rounds {
		done := do()
		of, err := done.figures()
		if err != nil {
			return done, err
		}
		if round == 0 || of.CPU < cost {
			cheapest, cost = done, of.CPU
		}
	}
	return cheapest, nil
}

// define installs a definition with a hundred fields, each described.
func (s *server) define(i int) error {
	const field = `"field%d":{"type":"object","description":"%s","properties":{"a":{"type":"string","pattern":"^[a-z]+$"},"b":{"type":"integer"}}}`
	fields := make([]string, 100)
	for n := range fields {
		fields[n] = fmt.Sprintf(field, n, strings.Repeat("What this field means is told in some words. ", 4))
	}
	return s.post(i, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1",
		"kind":"CustomResourceDefinition","metadata":{"name":"things%d.g%d.example.com"},"spec":{"group":"g%d.example.com","scope":"Namespaced",
		"names":{"plural":"things%d","kind":"Thing%d"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":
		{"type":"object","properties":{"spec":{"type":"object","properties":{%s}}}}}}]}}`, i, i, i, i, i, strings.Join(fields, ",")))
}
