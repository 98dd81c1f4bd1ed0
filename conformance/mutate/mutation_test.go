package main

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

// things are the schemas of a small kind.
var things = schemas{
	"io.example.v1.Thing": {Type: "object", Properties: map[string]schema{
		"color": {Type: "string", Description: `Must be "red" or "green".`},
		"parts": {Type: "array", Items: &schema{Ref: "#/definitions/io.example.v1.Part"}},
		"tags":  {Type: "object", Additional: &schema{Type: "string"}},
		"whole": {Type: "boolean"},
	}},
	"io.example.v1.Part": {Type: "object", Properties: map[string]schema{"size": {Type: "integer"}}},
}

func thing(t *testing.T) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(`{"color":"red","parts":[{"size":1},{"size":2}],"tags":{"a":"b"}}`), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func found(t *testing.T, seed uint64) []mutation {
	t.Helper()
	return mutations(things, "io.example.v1.Thing", thing(t), rand.New(rand.NewPCG(seed, 0)))
}

// TestEachChangeIsOne makes some changes and looks at the whole object; the one that was changed stays as it was.
func TestEachChangeIsOne(t *testing.T) {
	for change, want := range map[string]string{
		"color = deleted":                      `{"parts":[{"size":1},{"size":2}],"tags":{"a":"b"}}`,
		"color = null":                         `{"color":null,"parts":[{"size":1},{"size":2}],"tags":{"a":"b"}}`,
		`color = "green"`:                      `{"color":"green","parts":[{"size":1},{"size":2}],"tags":{"a":"b"}}`,
		"parts.1.size = deleted":               `{"color":"red","parts":[{"size":1},{}],"tags":{"a":"b"}}`,
		"parts.0.unheardOf = 1":                `{"color":"red","parts":[{"size":1,"unheardOf":1},{"size":2}],"tags":{"a":"b"}}`,
		`parts = [{"size":2},{"size":1}]`:      `{"color":"red","parts":[{"size":2},{"size":1}],"tags":{"a":"b"}}`,
		`parts = [{"size":1},{"size":2},null]`: `{"color":"red","parts":[{"size":1},{"size":2},null],"tags":{"a":"b"}}`,
		"tags.a = deleted":                     `{"color":"red","parts":[{"size":1},{"size":2}],"tags":{}}`,
		"whole = true":                         `{"color":"red","parts":[{"size":1},{"size":2}],"tags":{"a":"b"},"whole":true}`,
	} {
		object := thing(t)
		all := found(t, 1)
		at := slices.IndexFunc(all, func(m mutation) bool { return m.String() == change })
		if at < 0 {
			t.Errorf("%s is not among the changes", change)
			continue
		}
		if got, _ := json.Marshal(all[at].of(object)); string(got) != want {
			t.Errorf("%s: %s, not %s", change, got, want)
		}
		if before, _ := json.Marshal(object); string(before) != `{"color":"red","parts":[{"size":1},{"size":2}],"tags":{"a":"b"}}` {
			t.Errorf("%s changed the object itself: %s", change, before)
		}
	}
}

// TestPatchesSendListsWhole: a merge patch cannot name an element.
func TestPatchesSendListsWhole(t *testing.T) {
	for change, want := range map[string]string{
		"color = deleted":        `{"color":null}`,
		"tags.a = deleted":       `{"tags":{"a":null}}`,
		"parts.1.size = deleted": `{"parts":[{"size":1},{}]}`,
	} {
		all := found(t, 1)
		at := slices.IndexFunc(all, func(m mutation) bool { return m.String() == change })
		if got, _ := json.Marshal(all[at].patch(thing(t))); string(got) != want {
			t.Errorf("%s: %s, not %s", change, got, want)
		}
	}
}

// TestSeedsDecide: the same seed asks the same, another one asks otherwise.
func TestSeedsDecide(t *testing.T) {
	texts := func(seed uint64) (all []string) {
		for _, m := range found(t, seed) {
			all = append(all, m.String())
		}
		return all
	}
	if !slices.Equal(texts(1), texts(1)) {
		t.Error("one seed led to two lists")
	}
	if slices.Equal(texts(1), texts(2)) {
		t.Error("two seeds led to one list")
	}
}
