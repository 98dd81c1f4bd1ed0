package main

import (
	"context"
	"fmt"
	"strings"
)

const (
	// bigMaps are listed whole, each of bigMap bytes: a gigabyte.
	bigMaps, bigMap = 10_000, 100_000
	// many Pods lie in the store when the server starts.
	many = 150_000
)

// bigList lists a gigabyte of ConfigMaps, one list at a time.
func (b *bench) bigList(s *server) error {
	if err := s.post(0, "/api/v1/namespaces", `{"metadata":{"name":"big"}}`); err != nil {
		return err
	}
	data := strings.Repeat("0123456789", bigMap/10)
	made := s.times(bigMaps, func(i int) error {
		return s.post(i, "/api/v1/namespaces/big/configmaps", fmt.Sprintf(`{"metadata":{"name":"big-%d"},"data":{"a":"%s"}}`, i, data))
	})
	if err := b.record("create a ConfigMap of 100 KB", made); err != nil {
		return err
	}
	listed := s.work(1, func(i int) bool { return i < 3 }, func(i int) error { return s.get(i, "/api/v1/namespaces/big/configmaps?resourceVersion=0") })
	if err := b.record("list 10,000 ConfigMaps of 100 KB", listed); err != nil {
		return err
	}
	b.note("memory after that list", float64(s.residentMiB()), "MiB")
	return nil
}

// manyPods fills the store with Pods and starts the server again on them.
func (b *bench) manyPods(ctx context.Context, c contender, folder string) error {
	s, err := c.start(ctx, folder)
	if err != nil {
		return err
	}
	if err = s.prepare(); err == nil {
		err = s.times(many, s.createPod).err
	}
	s.stop()
	if err != nil {
		return err
	}
	if s, err = c.start(ctx, folder); err != nil {
		return err
	}
	defer s.stop()
	b.note("ready with 150,000 Pods", s.ready.Seconds(), "s")
	b.note("CPU until then", s.cpu().Seconds(), "s")
	// kube-apiserver is ready before it has read them all; the first list from the cache waits for that.
	if err := s.get(0, "/api/v1/pods?resourceVersion=0&limit=1"); err != nil {
		return err
	}
	b.note("memory with 150,000 Pods", float64(s.residentMiB()), "MiB")
	return nil
}
