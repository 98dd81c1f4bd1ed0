package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// revisions of a module come into force one after the other while Pods are made.
	revisions = 1_000
	// asked is how many Pods every policy has judged before its memory is looked at.
	asked = 64
	// effectTimeout bounds the wait until what was written is in force.
	effectTimeout = 5 * time.Minute
	// turns are how often the first policy comes and goes.
	turns = 4

	modules  = "/apis/policy.gatehouse.dev/v1alpha1/policymodules"
	bindings = "/apis/policy.gatehouse.dev/v1alpha1/clusterpolicybindings"
	cel      = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"

	celBindings = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
)

// bindingCounts are how many policies judge each Pod.
var bindingCounts = []int{1, 16, 128, 1_024}

// language is one way to write the same policy: every Pod has a label.
type language struct {
	name string
	// flags are the server's.
	flags []string
	// prepare is done once, before the first policy.
	prepare func(*server) error
	// add puts the policy of a number in place, inForce waits for it, and remove takes it away.
	add, inForce, remove func(*server, int) error
	// alike says that what a policy is shown again costs another amount.
	alike bool
}

// policies measures what policies cost a Pod's creation: in wasm where the server has that, in its own process and apart, and in
// CEL; and what those who do harm cost others.
func (b *bench) policies(ctx context.Context, c contender, program string) error {
	languages := []language{{"in CEL", nil, func(*server) error { return nil }, (*server).addCEL, (*server).refuses, (*server).removeCEL, false}}
	if c.name != "kube-apiserver" {
		wasm := language{"in wasm", nil, (*server).addModule, (*server).addBinding, (*server).bound, (*server).removeBinding, true}
		apart := wasm
		apart.name, apart.flags = "in wasm apart", []string{"--policy-isolation=process"}
		languages = append(languages, wasm, apart)
		if err := inFolder(func(folder string) error { return b.beside(ctx, c, program, folder) }); err != nil {
			return fmt.Errorf("beside hostile policies: %w", err)
		}
	}
	for _, l := range languages {
		for _, measure := range []func(context.Context, contender, string, language) error{b.held, b.judged} {
			if err := inFolder(func(folder string) error { return measure(ctx, c, folder, l) }); err != nil {
				return fmt.Errorf("policies %s: %w", l.name, err)
			}
		}
	}
	return nil
}

// held notes a server's memory under more and more policies, all of which have judged. It stores no Pod meanwhile: a few
// thousand of them weigh more than all policies.
func (b *bench) held(ctx context.Context, c contender, folder string, l language) error {
	s, err := c.start(ctx, folder, l.flags...)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.prepare(); err != nil {
		return err
	}
	if err := l.prepare(s); err != nil {
		return err
	}
	b.note("memory before any policy "+l.name, float64(s.residentMiB()), "MiB")
	for made, i := 0, 0; i < len(bindingCounts); i++ {
		for ; made < bindingCounts[i]; made++ {
			if err := l.add(s, made); err != nil {
				return err
			}
		}
		if err := l.inForce(s, made-1); err != nil {
			return err
		}
		for n := range asked {
			if err := s.post(n, space(n, "pods?dryRun=All"), pod(n)); err != nil {
				return err
			}
		}
		b.note(fmt.Sprintf("memory with %d policies %s", made, l.name), float64(s.residentMiB()), "MiB")
	}
	return nil
}

// judged makes Pods under more and more policies.
func (b *bench) judged(ctx context.Context, c contender, folder string, l language) error {
	s, err := c.start(ctx, folder, l.flags...)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.prepare(); err != nil {
		return err
	}
	if err := l.prepare(s); err != nil {
		return err
	}
	var next atomic.Int64
	like := func(int) error { return s.createPod(int(next.Add(1))) }
	unlike := func(int) error {
		i := int(next.Add(1))
		return s.post(i, space(i, "pods"), podOf(i, fmt.Sprintf("b%d", i)))
	}
	if err := b.first(s, l, unlike); err != nil {
		return err
	}
	for made, i := 0, 0; i < len(bindingCounts); i++ {
		count := bindingCounts[i]
		// Every policy that comes judges what is stored.
		if err := s.clear(); err != nil {
			return err
		}
		for ; made < count; made++ {
			if err := l.add(s, made); err != nil {
				return err
			}
		}
		if err := l.inForce(s, count-1); err != nil {
			return err
		}
		s.rest()
		name := fmt.Sprintf("create a Pod under %d policies %s", count, l.name)
		if count > 1 {
			if err := b.record(name, s.during(b.span, unlike)); err != nil {
				return err
			}
		}
		if !l.alike {
			continue
		}
		if err := b.record(name+", of Pods like earlier ones", s.during(b.span, like)); err != nil {
			return err
		}
	}
	if l.name != "in wasm" {
		return nil
	}
	return b.swapped(s, unlike)
}

// first measures under no policy and under one by turns: what is stored meanwhile makes later Pods dearer, by about as much as
// a policy does.
func (b *bench) first(s *server, l language, create func(int) error) error {
	var without, with outcome
	for range turns {
		without.add(s.during(b.span, create))
		if err := l.add(s, 0); err != nil {
			return err
		}
		if err := l.inForce(s, 0); err != nil {
			return err
		}
		s.rest()
		with.add(s.during(b.span, create))
		if err := l.remove(s, 0); err != nil {
			return err
		}
		s.rest()
	}
	if err := b.record("create a Pod under no policy, between those "+l.name, without); err != nil {
		return err
	}
	return b.record("create a Pod under 1 policies "+l.name, with)
}

// swapped brings revisions of the module into force while Pods are made, of which none may fail.
func (b *bench) swapped(s *server, create func(int) error) error {
	for n := 1; n < bindingCounts[len(bindingCounts)-1]; n++ {
		if err := s.removeBinding(n); err != nil {
			return err
		}
	}
	failed := make(chan error, 1)
	var done atomic.Bool
	go func() {
		defer done.Store(true)
		var err error
		for n := 1; n <= revisions && err == nil; n++ {
			err = s.revise(n)
		}
		failed <- err
	}()
	made := s.work(inFlight, func(int) bool { return !done.Load() }, create)
	if err := <-failed; err != nil {
		return err
	}
	return b.record(fmt.Sprintf("create a Pod while %d revisions of its policy come into force", revisions), made)
}

// module is the PolicyModule of a revision: the policy that ships, with a number that only its digest depends on.
func module(revision int) ([]byte, error) {
	file := filepath.Join("..", ".build", "policies", "required-labels.wasm")
	component, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w; cargo x policies builds it", err)
	}
	name := "revision-" + strconv.Itoa(revision)
	section := append(binary.AppendUvarint(nil, uint64(len(name))), name...)
	component = append(append(append(component, 0), binary.AppendUvarint(nil, uint64(len(section)))...), section...)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err = writer.Write(component); err == nil {
		err = writer.Close()
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"apiVersion": "policy.gatehouse.dev/v1alpha1", "kind": "PolicyModule",
		"metadata": map[string]any{"name": "labels"}, "spec": map[string]any{"source": map[string]any{"inline": packed.Bytes()}}})
}

func (s *server) addModule() error {
	object, err := module(0)
	if err != nil {
		return err
	}
	if err := s.post(0, modules, string(object)); err != nil {
		return err
	}
	return s.until(modules+"/labels", func(o status) bool { return o.Status.Ready })
}

// revise brings another revision of the module into force.
func (s *server) revise(revision int) error {
	object, err := module(revision)
	if err != nil {
		return err
	}
	if err := s.call(0, "PATCH", modules+"/labels", "application/merge-patch+json", string(object)); err != nil {
		return err
	}
	return s.until(modules+"/labels", func(o status) bool { return o.Status.Ready && o.Status.ObservedGeneration == o.Metadata.Generation })
}

func (s *server) addBinding(n int) error {
	return s.post(n, bindings, fmt.Sprintf(`{"apiVersion":"policy.gatehouse.dev/v1alpha1","kind":"ClusterPolicyBinding","metadata":{"name":"labels-%d"},"spec":{"module":"labels",
		"settings":{"labels":[{"key":"app"}]},"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}]}}}`, n))
}

func (s *server) bound(n int) error {
	return s.until(bindings+"/labels-"+strconv.Itoa(n), func(o status) bool { return o.Status.Ready })
}

func (s *server) addCEL(n int) error {
	err := s.post(n, cel, fmt.Sprintf(`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":"labels-%d"},"spec":{
		"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}]},
		"validations":[{"expression":"has(object.metadata.labels) && 'app' in object.metadata.labels && object.metadata.labels['app'] != 'refused-by-%d'","message":"the label app is required"}]}}`, n, n))
	if err != nil {
		return err
	}
	return s.post(n, celBindings, fmt.Sprintf(`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicyBinding","metadata":{"name":"labels-%d"},
		"spec":{"policyName":"labels-%d","validationActions":["Deny"]}}`, n, n))
}

// rest waits until the server has nothing left to do: a policy that comes or goes has it judge everything that is stored, which is
// not what a Pod costs.
func (s *server) rest() {
	const look, busy = time.Second, 150 * time.Millisecond
	for deadline := time.Now().Add(effectTimeout); time.Now().Before(deadline); {
		before := s.cpu()
		time.Sleep(look)
		if s.cpu()-before < busy {
			return
		}
	}
}

// clear deletes all Pods.
func (s *server) clear() error {
	for n := range namespaces {
		if err := s.call(n, "DELETE", space(n, "pods"), "", ""); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) removeBinding(n int) error {
	return s.call(n, "DELETE", bindings+"/labels-"+strconv.Itoa(n), "", "")
}

func (s *server) removeCEL(n int) error {
	if err := s.call(n, "DELETE", celBindings+"/labels-"+strconv.Itoa(n), "", ""); err != nil {
		return err
	}
	return s.call(n, "DELETE", cel+"/labels-"+strconv.Itoa(n), "", "")
}

// refuses waits until the policy of a number refuses what it alone is against: nothing else tells that it is in force.
func (s *server) refuses(n int) error {
	body := fmt.Sprintf(`{"metadata":{"name":"probe","labels":{"app":"refused-by-%d"}},"spec":{"containers":[{"name":"a","image":"a"}]}}`, n)
	return wait("policy "+strconv.Itoa(n)+" in force", func() (bool, error) {
		request, err := s.request("POST", space(0, "pods?dryRun=All"), body)
		if err != nil {
			return false, err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := s.clients[0].Do(request)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusUnprocessableEntity || response.StatusCode == http.StatusForbidden, nil
	})
}

// status is what the policy kinds tell of themselves.
type status struct {
	Metadata struct{ Generation int64 }
	Status   struct {
		Ready              bool
		ObservedGeneration int64
	}
}

// until waits for what an object says of itself.
func (s *server) until(path string, check func(status) bool) error {
	return wait(path+" in force", func() (bool, error) {
		request, err := s.request("GET", path, "")
		if err != nil {
			return false, err
		}
		response, err := s.clients[0].Do(request)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		var found status
		if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
			return false, err
		}
		return check(found), nil
	})
}

func wait(what string, check func() (bool, error)) error {
	for deadline := time.Now().Add(effectTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if done, err := check(); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: not within %v", what, effectTimeout)
}
