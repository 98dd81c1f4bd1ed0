package etcd

import (
	"context"
	"flag"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/peer"
)

// seed repeats what was done to the members, in the same order.
var seed = flag.Int64("seed", 0, "the seed of TestMembersComeAndGo; 0 picks one")

const (
	members = 3
	writers = 4
	// lowestProgress is how many writes must be answered while something is wrong, and again afterwards.
	lowestProgress = 12
)

// troubled is a cluster to which things are done while clients work through two gateways.
type troubled struct {
	t       *testing.T
	cluster *peer.Cluster
	dice    *rand.Rand
	history *history
}

// TestMembersComeAndGo changes, kills, cuts off and slows down members of an etcd, one after the other, under writers, informers
// and paged lists through two gateways. What everybody was told must fit what etcd has kept.
func TestMembersComeAndGo(t *testing.T) {
	picked := *seed
	if picked == 0 {
		picked = time.Now().UnixNano()
	}
	t.Logf("-seed=%d", picked)
	cluster, err := peer.StartCluster(t.Context(), programs(t).etcd, members)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	tr := &troubled{t: t, cluster: cluster, dice: rand.New(rand.NewSource(picked))}
	first, second := tr.gateway(0), tr.gateway(1)
	first.prepare(namespace)
	tr.history = newHistory(t, cluster, []*server{first, second})

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients, followers sync.WaitGroup
	for n := range writers {
		dice := rand.New(rand.NewSource(tr.dice.Int63()))
		clients.Go(func() { tr.history.write(ctx, n, dice) })
	}
	for n := range 2 {
		clients.Go(func() { tr.history.page(ctx, n) })
		followers.Go(func() { tr.history.follow(t.Context(), n) })
	}
	troubles := []func(){tr.moveLeader, tr.killLeader, tr.cutOffLeader, tr.cutOffFollower, tr.cutOffClients}
	tr.dice.Shuffle(len(troubles), func(i, j int) { troubles[i], troubles[j] = troubles[j], troubles[i] })
	tr.progress("at the beginning")
	for _, trouble := range troubles {
		trouble()
	}
	tr.history.finish(stop, &clients, &followers)
}

// gateway starts one that knows all members; which it asks first differs.
func (tr *troubled) gateway(first int) *server {
	urls := append(append([]string{}, tr.cluster.URLs[first:]...), tr.cluster.URLs[:first]...)
	// Everything that ever was is compared with in the end.
	s := harness.Start(tr.t, "--etcd-servers", strings.Join(urls, ","), "--etcd-compaction-interval=0", "--controllers=-*",
		"--service-cluster-ip-range", peer.ServiceRange)
	return (&bed{t: tr.t}).server(fmt.Sprint("gateway ", first), s.Config, s.Kill)
}

// progress waits until some more writes were answered.
func (tr *troubled) progress(when string) {
	tr.t.Helper()
	before := tr.history.answered.Load()
	harness.Eventually(tr.t, "an answer to writes "+when, func() bool { return tr.history.answered.Load() >= before+lowestProgress })
}

// leader waits until there is one.
func (tr *troubled) leader() int {
	tr.t.Helper()
	found := -1
	harness.Eventually(tr.t, "a leader", func() bool {
		found = tr.cluster.Leader(tr.t.Context())
		return found >= 0
	})
	return found
}

// other picks a member that is not this one.
func (tr *troubled) other(n int) int { return (n + 1 + tr.dice.Intn(members-1)) % members }

func (tr *troubled) moveLeader() {
	harness.Eventually(tr.t, "the leader hands over", func() bool {
		from := tr.leader()
		return tr.cluster.MoveLeader(tr.t.Context(), from, tr.other(from)) == nil
	})
	tr.progress("after the leader handed over")
}

func (tr *troubled) killLeader() {
	n := tr.leader()
	tr.cluster.Kill(n)
	tr.progress("without the member that led")
	if err := tr.cluster.Run(tr.t.Context(), n); err != nil {
		tr.t.Fatal(err)
	}
	tr.progress("with it again")
}

func (tr *troubled) cutOffLeader() { tr.cutOff(tr.leader(), "the leader") }

func (tr *troubled) cutOffFollower() { tr.cutOff(tr.other(tr.leader()), "a follower") }

// cutOff leaves a member alone for a while, behind the others; clients still reach it.
func (tr *troubled) cutOff(n int, who string) {
	tr.cluster.Isolate(n)
	tr.progress("while " + who + " is cut off")
	tr.cluster.Rejoin(n)
	tr.progress("when " + who + " is back")
}

func (tr *troubled) cutOffClients() {
	n := tr.dice.Intn(members)
	tr.cluster.Clients(n).Cut()
	tr.progress("while a member cannot be reached")
	tr.cluster.Clients(n).Mend()
	tr.progress("when it can be reached again")
}
