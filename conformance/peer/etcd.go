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

// Durable are flags that make an etcd keep what it has acknowledged, as in production; without them tests are faster.
var Durable = []string{"--unsafe-no-fsync=false", "--heartbeat-interval=100", "--election-timeout=1000"}

// StartEtcd runs an etcd with its data below dir, on ports that it picks itself, and waits until it serves. Extra flags win
// over those given here.
func StartEtcd(ctx context.Context, program, dir string, flags ...string) (*Etcd, error) {
	own := []string{"--advertise-client-urls", anywhere, "--listen-peer-urls", anywhere, "--initial-advertise-peer-urls", anywhere,
		"--initial-cluster", "default=" + anywhere, "--heartbeat-interval", "20", "--election-timeout", "200"}
	return startEtcd(ctx, program, dir, append(own, flags...)...)
}

// anywhere is a port that the program picks.
const anywhere = "http://127.0.0.1:0"

// startEtcd runs an etcd in dir, whoever its members are.
func startEtcd(ctx context.Context, program, dir string, flags ...string) (*Etcd, error) {
	// It runs in its own folder, where a part of a path would mean something else.
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "etcd.log")
	log, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	own := []string{"--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", anywhere, "--unsafe-no-fsync", "--log-level", "info"}
	process := exec.Command(program, append(own, flags...)...)
	process.Stdout, process.Stderr, process.Dir = log, log, dir
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	etcd := &Etcd{process: process}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for etcd.URL == "" {
		if ctx.Err() != nil {
			etcd.Stop()
			last, _ := os.ReadFile(name)
			return nil, fmt.Errorf("etcd does not serve: %w\n%s", ctx.Err(), last)
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

// Pid is the number of its process.
func (e *Etcd) Pid() int { return e.process.Process.Pid }

// Stop ends it.
func (e *Etcd) Stop() {
	_ = e.process.Process.Kill()
	_ = e.process.Wait()
}
