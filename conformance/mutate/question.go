package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"

	"gatehouse.dev/conformance/corpus"
)

// stepsMax is how many questions one scenario holds.
const stepsMax = 40

// mode is what a changed object is sent for.
type mode string

const (
	create mode = "create"
	update mode = "update"
	merge  mode = "patch"
	status mode = "status"
	// strategic sends the change as a strategic merge patch, apply the whole object as what somebody else wants.
	strategic mode = "strategic"
	apply     mode = "apply"
	// requests are not about changed objects but about what stands around them (requests.go).
	requests mode = "requests"
)

// question is a request to both servers, and where it comes from.
type question struct {
	of   *base
	mode mode
	mutation
	step corpus.Step
	// made says that the object must be there, and that the step names its revision.
	made bool
}

func (q question) String() string {
	return fmt.Sprintf("%s %s: %s", q.of.name, q.mode, q.mutation)
}

// chooser leaves out what was asked often enough.
type chooser struct {
	all    schemas
	random *rand.Rand
	// contexts is how many objects each change to a field of a type is tried in.
	contexts int
	// most bounds the questions of each object in each mode.
	most int
	only *regexp.Regexp
	seen map[string]int
}

// questions are what is asked about an object in some modes.
func (c *chooser) questions(of *base, modes ...mode) []question {
	if !c.only.MatchString(of.name) {
		return nil
	}
	var found []question
	for _, how := range modes {
		if how == requests {
			if c.seen[of.definition]++; c.seen[of.definition] == 1 {
				found = append(found, around(of)...)
			}
			continue
		}
		var some []question
		for _, m := range mutations(c.all, of.definition, of.value, c.random) {
			key := string(how) + m.field + m.what
			if c.seen[key] >= c.contexts {
				continue
			}
			if q, ok := ask(of, how, m); ok {
				c.seen[key]++
				some = append(some, q)
			}
		}
		if len(some) > c.most {
			c.random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			some = some[:c.most]
		}
		found = append(found, some...)
	}
	return found
}

// ask is the request of a change, if it makes sense.
func ask(of *base, how mode, m mutation) (question, bool) {
	inStatus := m.path[0] == "status" && of.status
	q := question{of: of, mode: how, mutation: m, made: how != create}
	switch how {
	case create:
		q.step = corpus.Step{Do: "POST " + of.path + "?dryRun=All", Body: m.of(of.value)}
	case update:
		q.step = corpus.Step{Do: "PUT " + of.one() + "?dryRun=All", Body: current(m.of(of.without("status")))}
	case merge, strategic:
		form := map[mode]string{merge: "merge", strategic: "strategic"}[how]
		q.step = corpus.Step{Do: "PATCH:" + form + " " + of.one() + "?dryRun=All", Body: m.patch(of.value)}
	case apply:
		q.step = corpus.Step{Do: "PATCH:apply " + of.one() + "?dryRun=All&fieldManager=applier", Body: m.of(of.without("status"))}
	case status:
		q.step = corpus.Step{Do: "PUT " + of.one() + "/status?dryRun=All", Body: current(m.of(of.value))}
	}
	return q, inStatus == (how == status)
}

// current names the revision that is stored, unless the change says something else of it.
func current(object map[string]any) map[string]any {
	metadata, ok := object["metadata"].(map[string]any)
	if !ok || metadata["resourceVersion"] != nil {
		return object
	}
	metadata = maps.Clone(metadata)
	metadata["resourceVersion"] = "$made"
	object = maps.Clone(object)
	object["metadata"] = metadata
	return object
}

// scenarios packs questions, those about one object together.
func scenarios(questions []question) (packed []corpus.Scenario, of [][]question) {
	for begin := 0; begin < len(questions); {
		end := begin
		for end < len(questions) && end-begin < stepsMax && questions[end].of == questions[begin].of && questions[end].made == questions[begin].made {
			end++
		}
		name := fmt.Sprint("part-", len(packed))
		var steps []corpus.Step
		if questions[begin].made {
			steps = append(steps, corpus.Step{Do: "GET " + questions[begin].of.one(), Save: map[string]string{"made": "metadata.resourceVersion"}})
		}
		for _, q := range questions[begin:end] {
			steps = append(steps, q.step)
		}
		packed = append(packed, corpus.New(family, name, nil, steps))
		of = append(of, questions[begin:end])
		begin = end
	}
	return packed, of
}

// preparation sends an object once to see whether it is taken; its namespace is made for that.
func preparation(of *base) corpus.Scenario {
	return corpus.New(family, of.name, nil, []corpus.Step{{Do: "POST " + of.path + "?dryRun=All", Body: of.value}})
}

// making makes the object, and its status.
func making(of *base) corpus.Scenario {
	steps := []corpus.Step{{Do: "POST " + of.path, Body: of.value}}
	if status, has := of.value["status"]; has && of.status {
		steps = append(steps, corpus.Step{Do: "PATCH:merge " + of.one() + "/status", Body: map[string]any{"status": status}})
	}
	return corpus.New(family, "make-"+strings.ReplaceAll(of.name, "/", "-"), nil, steps)
}
