package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Etcd is a running etcd.
type Etcd struct {
	// URL is where clients find it.
	URL string

	process *exec.Cmd
}

// StartEtcd runs an etcd with a fresh data directory below dir, on ports that it picks itself, and waits until it serves.
func StartEtcd(ctx context.Context, program, dir string) (*Etcd, error) {
	const own = "http://127.0.0.1:0"
	name := filepath.Join(dir, "etcd.log")
	log, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	process := exec.Command(program, "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", own, "--advertise-client-urls", own,
		"--listen-peer-urls", own, "--initial-advertise-peer-urls", own, "--initial-cluster", "default="+own,
		"--heartbeat-interval", "20", "--election-timeout", "200", "--unsafe-no-fsync", "--log-level", "info")
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	etcd := &Etcd{process: process}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for etcd.URL == "" {
		if ctx.Err() != nil {
			etcd.Stop()
			return nil, fmt.Errorf("etcd does not serve; its log is %s: %w", name, ctx.Err())
		}
		time.Sleep(20 * time.Millisecond)
		etcd.URL = served(name)
	}
	return etcd, nil
}

// served finds the address of clients in etcd's log.
func served(name string) string {
	log, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer log.Close()
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct {
			Message string `json:"msg"`
			Address string `json:"address"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && strings.HasPrefix(line.Message, "serving client traffic") {
			return "http://" + line.Address
		}
	}
	return ""
}

// Stop ends it.
func (e *Etcd) Stop() {
	_ = e.process.Process.Kill()
	_ = e.process.Wait()
}
