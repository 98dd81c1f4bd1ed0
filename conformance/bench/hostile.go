package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// attackers make requests, one after the other, whose policy does harm until it is ended.
	attackers = 4
	// others read meanwhile; fewer than elsewhere, so that what they wait for is not each other.
	others = 4
	// bystanders are the Pods that they read.
	bystanders = 100

	hostileModule  = `{"apiVersion":"policy.gatehouse.dev/v1alpha1","kind":"PolicyModule","metadata":{"name":"hostile"},"spec":{"source":{"file":"hostile.wasm"}}}`
	hostileBinding = `{"apiVersion":"policy.gatehouse.dev/v1alpha1","kind":"ClusterPolicyBinding","metadata":{"name":"ATTACK"},"spec":{"module":"hostile","settings":{"attack":"ATTACK"},
		"grants":["cluster"],"clusterReads":[{"apiGroups":[""],"resources":["configmaps"]}],"matchConditions":[{"name":"attack","expression":"object.metadata.name == 'ATTACK'"}],
		"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["configmaps"]}]}}}`
)

// attacks are what the policy of conformance/hostile/guest tries.
var attacks = []string{"loop", "recursion", "memory", "answer", "questions"}

// beside measures those whom no policy is about: alone, and beside each harm that policies do. How long they wait is their p99.
func (b *bench) beside(ctx context.Context, c contender, program, folder string) error {
	build := exec.CommandContext(ctx, program, "policy", "build", "hostile/guest", "--out", folder)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	s, err := c.start(ctx, folder, "--policy-module-dir", folder)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.harmful(); err != nil {
		return err
	}
	read := func(i int) error { return s.get(i, b.podPath(i%bystanders)) }
	if err := b.record("get a Pod, 4 in flight", s.among(others, b.span, read)); err != nil {
		return err
	}
	for _, attack := range attacks {
		var over atomic.Bool
		var group sync.WaitGroup
		for n := range attackers {
			group.Go(func() {
				for !over.Load() {
					// It is refused, as it should be; what comes of it is for the tests.
					_ = s.post(n, space(n, "configmaps"), fmt.Sprintf(`{"metadata":{"name":%q}}`, attack))
				}
			})
		}
		beside := s.among(others, b.span, read)
		over.Store(true)
		group.Wait()
		if err := b.record("get a Pod, 4 in flight, beside 4 of: "+attack, beside); err != nil {
			return err
		}
	}
	return nil
}

// harmful has a policy in force for each harm, and Pods to read.
func (s *server) harmful() error {
	if err := s.prepare(); err != nil {
		return err
	}
	for n := range bystanders {
		if err := s.createPod(n); err != nil {
			return err
		}
	}
	if err := s.post(0, modules, hostileModule); err != nil {
		return err
	}
	for _, attack := range attacks {
		if err := s.post(0, bindings, strings.ReplaceAll(hostileBinding, "ATTACK", attack)); err != nil {
			return err
		}
		if err := s.until(bindings+"/"+attack, func(o status) bool { return o.Status.Ready }); err != nil {
			return err
		}
	}
	return nil
}
