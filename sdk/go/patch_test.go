package policy

import (
	"reflect"
	"testing"
)

func TestPatch(t *testing.T) {
	for _, test := range []struct {
		what, object, patch string
		change              func(*Patch)
	}{
		{"makes what is missing above a field", `{"spec":{}}`,
			`[{"op":"add","path":"/spec/a","value":{"b":1}},{"op":"add","path":"/spec/a/c","value":null}]`,
			func(p *Patch) { p.Set(1, "spec", "a", "b").Set(nil, "spec", "a", "c") }},
		{"leaves what is right already", `{"spec":{"a":1,"list":[{"x":1}]}}`, ``,
			func(p *Patch) { p.Set(1, "spec", "a").Remove("spec", "nothing").Set(1, "spec", "a", "below") }},
		{"changes lists", `{"list":[{"x":1},2]}`,
			`[{"op":"replace","path":"/list/0/x","value":false},{"op":"remove","path":"/list/1"}]`,
			func(p *Patch) { p.Set(false, "list", "0", "x").Remove("list", "1").Remove("list", "1") }},
		{"escapes keys", `{"metadata":{"annotations":{}}}`,
			`[{"op":"add","path":"/metadata/annotations/a.b~1c~0d","value":"x"}]`,
			func(p *Patch) { p.Set("x", "metadata", "annotations", "a.b/c~d") }},
	} {
		patch, err := PatchOf([]byte(test.object))
		if err != nil {
			t.Fatal(err)
		}
		test.change(patch)
		if text, err := patch.JSON(); err != nil || string(text) != test.patch {
			t.Errorf("%s: %s, %v", test.what, text, err)
		}
	}
}

func TestSchema(t *testing.T) {
	type settings struct {
		Labels []struct {
			Key    string            `json:"key" description:"The label's key."`
			Values map[string]string `json:"values,omitempty"`
		} `json:"labels"`
		Most *int `json:"most"`
	}
	want := `{"additionalProperties":false,"properties":{"labels":{"items":{"additionalProperties":false,"properties":{` +
		`"key":{"description":"The label's key.","type":"string"},"values":{"additionalProperties":{"type":"string"},"type":"object"}},` +
		`"required":["key"],"type":"object"},"type":"array"},"most":{"type":"integer"}},"required":["labels"],"type":"object"}`
	if got := Schema[settings](); got != want {
		t.Errorf("the schema is %s", got)
	}
}

func TestGuest(t *testing.T) {
	type settings struct{ Key string }
	type pod struct{ Name string }
	guest := Validator[settings, pod]{
		Check: func(s *settings, problems *Verdict) {
			if s.Key == "" {
				problems.Violation("settings", "key", "a label needs a key")
			}
		},
		Validate: func(s *settings, review *Review[pod], verdict *Verdict) error {
			if review.Object.Name != s.Key {
				verdict.Violation("named", "name", "wrong name")
			}
			return nil
		},
	}.Guest()
	if problems := guest.Configure([]byte(`{"key": ""}`)); !reflect.DeepEqual(problems, []Violation{{Rule: "settings", Field: "key", Message: "a label needs a key"}}) {
		t.Errorf("an empty key: %v", problems)
	}
	if problems := guest.Configure([]byte(`{"key": 1}`)); len(problems) != 1 || problems[0].Field != "Key" {
		t.Errorf("a key that is a number: %v", problems)
	}
	if problems := guest.Configure([]byte(`{"key": "a"}`)); problems != nil {
		t.Errorf("a key: %v", problems)
	}
	if verdict, err := guest.Validate(&Call{Object: []byte(`{"name": "b"}`)}); err != nil || len(verdict.Violations) != 1 {
		t.Errorf("a wrong name: %v, %v", verdict, err)
	}
	if _, err := guest.Validate(&Call{Object: []byte(`{"name": 1}`)}); err == nil {
		t.Error("a name that is a number is judged")
	}
	if _, err := guest.Validate(&Call{}); err == nil || err.Error() != "panic: runtime error: invalid memory address or nil pointer dereference" {
		t.Errorf("a policy that panics: %v", err)
	}
}
