package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// askTimeout bounds a question to one member, which may be cut off from the others.
const askTimeout = 5 * time.Second

// Cluster is an etcd of several members. Each reaches each other over a link of its own, and clients reach each over another;
// all of these can be cut.
type Cluster struct {
	// URLs is where clients find the members.
	URLs []string

	program, dir string
	members      []*member
}

type member struct {
	name, dir string
	etcd      *Etcd
	clients   *Link
	// peers are the links to the other members; its own place is empty.
	peers []*Link
}

// StartCluster runs an etcd of some members and waits until all of them serve.
func StartCluster(ctx context.Context, program string, size int) (*Cluster, error) {
	// A socket's path must be short.
	dir, err := os.MkdirTemp("", "etcd")
	if err != nil {
		return nil, err
	}
	c := &Cluster{program: program, dir: dir}
	for n := range size {
		c.members = append(c.members, &member{name: fmt.Sprint("m", n), dir: filepath.Join(dir, fmt.Sprint(n))})
	}
	if err := c.start(ctx); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	for _, m := range c.members {
		if err := m.connect(c.members); err != nil {
			return err
		}
		c.URLs = append(c.URLs, "http://"+m.clients.Address)
	}
	// A member serves once there are enough of them.
	failed := make(chan error, len(c.members))
	for n := range c.members {
		go func() { failed <- c.Run(ctx, n) }()
	}
	for range c.members {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

// connect makes the links that begin at a member and the one by which clients reach it. Under one name, every member means a
// socket in its own folder: so each has its own link to each.
func (m *member) connect(all []*member) (err error) {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	for _, other := range all {
		var link *Link
		if other != m {
			dial := func() (net.Conn, error) { return net.Dial("unix", filepath.Join(other.dir, "own:1")) }
			if link, err = NewLink("unix", filepath.Join(m.dir, other.name+":1"), dial); err != nil {
				return err
			}
		}
		m.peers = append(m.peers, link)
	}
	m.clients, err = NewLink("tcp", "127.0.0.1:0", func() (net.Conn, error) {
		address, serves := m.serves()
		if !serves {
			return nil, errors.New("the member does not run")
		}
		return net.Dial("tcp", address)
	})
	return err
}

// serves says where the member listens for clients now.
func (m *member) serves() (string, bool) {
	return strings.CutPrefix(served(filepath.Join(m.dir, "etcd.log")), "http://")
}

// Run starts a member, again after Kill, and waits until it serves.
func (c *Cluster) Run(ctx context.Context, n int) (err error) {
	m := c.members[n]
	var names []string
	for _, other := range c.members {
		names = append(names, other.name+"=unix://"+other.name+":1")
	}
	m.etcd, err = startEtcd(ctx, c.program, m.dir, "--name", m.name, "--listen-peer-urls", "unix://own:1",
		"--initial-advertise-peer-urls", "unix://"+m.name+":1", "--initial-cluster", strings.Join(names, ","),
		"--advertise-client-urls", "http://"+m.clients.Address, "--heartbeat-interval", "50", "--election-timeout", "500")
	return err
}

// Kill ends a member at once.
func (c *Cluster) Kill(n int) {
	m := c.members[n]
	m.etcd.Stop()
	// Whoever comes must not be sent to a port that somebody else has by now.
	_ = os.Remove(filepath.Join(m.dir, "etcd.log"))
}

// Isolate cuts a member off from all others. Clients still reach it.
func (c *Cluster) Isolate(n int) { c.eachLink(n, (*Link).Cut) }

// Rejoin lets it speak to the others again.
func (c *Cluster) Rejoin(n int) { c.eachLink(n, (*Link).Mend) }

// eachLink does something to the links from and to a member.
func (c *Cluster) eachLink(n int, do func(*Link)) {
	for other, m := range c.members {
		if other != n {
			do(m.peers[n])
			do(c.members[n].peers[other])
		}
	}
}

// Clients is the link by which clients reach a member.
func (c *Cluster) Clients(n int) *Link { return c.members[n].clients }

// Client asks the member itself, without a link between.
func (c *Cluster) Client(n int) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{c.members[n].etcd.URL}, DialTimeout: askTimeout})
}

// Leader finds the leader as most members see it; -1 when there is none now.
func (c *Cluster) Leader(ctx context.Context) int {
	votes, numbers := map[uint64]int{}, map[uint64]int{}
	for n := range c.members {
		if status := c.status(ctx, n); status != nil {
			numbers[status.Header.MemberId] = n
			votes[status.Leader]++
		}
	}
	for id, count := range votes {
		if n, known := numbers[id]; known && count > len(c.members)/2 {
			return n
		}
	}
	return -1
}

func (c *Cluster) status(ctx context.Context, n int) *clientv3.StatusResponse {
	client, err := c.Client(n)
	if err != nil {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	status, err := client.Status(ctx, c.members[n].etcd.URL)
	if err != nil {
		return nil
	}
	return status
}

// MoveLeader asks the leader to hand over to another member.
func (c *Cluster) MoveLeader(ctx context.Context, from, to int) error {
	target := c.status(ctx, to)
	if target == nil {
		return fmt.Errorf("member %d does not answer", to)
	}
	client, err := c.Client(from)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err = client.MoveLeader(ctx, target.Header.MemberId)
	return err
}

// Stop ends all of it.
func (c *Cluster) Stop() {
	for _, m := range c.members {
		if m.etcd != nil {
			m.etcd.Stop()
		}
		for _, link := range append(m.peers, m.clients) {
			if link != nil {
				link.Close()
			}
		}
	}
	_ = os.RemoveAll(c.dir)
}
