package operators

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// damages are what is done to one field at a time.
var damages = []struct {
	name string
	// to is what the field becomes; nothing where it says gone.
	to func(any) (value any, gone bool)
}{
	{"gone", func(any) (any, bool) { return nil, true }},
	{"empty", func(value any) (any, bool) {
		if _, text := value.(string); text {
			return "", false
		}
		return int64(-1), false
	}},
	{"list", func(any) (any, bool) { return []any{}, false }},
}

// damaged are copies of a sample, each with one leaf of its spec damaged. What was done to a kind's field before is left out.
func (s sample) damaged(done map[string]bool) []sample {
	var copies []sample
	spec, _ := s.object.Object["spec"].(map[string]any)
	for path, value := range leaves(spec, nil) {
		for _, damage := range damages {
			what := fmt.Sprintf("%s %s", damage.name, spelt(path))
			key := fmt.Sprintf("%s %s %s", s.object.GroupVersionKind(), damage.name, generalized(path))
			if done[key] {
				continue
			}
			done[key] = true
			to, gone := damage.to(value)
			object := s.object.DeepCopy()
			object.Object["spec"] = changed(object.Object["spec"], path, to, gone)
			copies = append(copies, sample{s.name + " " + what, object})
		}
	}
	return copies
}

// leaves are the scalars of a value with their paths, of which a step is a name or a number.
func leaves(value any, path []any) func(yield func([]any, any) bool) {
	return func(yield func([]any, any) bool) {
		walk(value, path, yield)
	}
}

func walk(value any, path []any, yield func([]any, any) bool) bool {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if !walk(value[name], append(slices.Clone(path), name), yield) {
				return false
			}
		}
	case []any:
		for number, item := range value {
			if !walk(item, append(slices.Clone(path), number), yield) {
				return false
			}
		}
	default:
		return yield(path, value)
	}
	return true
}

// changed gives the value with what is at a path replaced or gone.
func changed(value any, path []any, to any, gone bool) any {
	if len(path) == 0 {
		return to
	}
	switch inner := value.(type) {
	case map[string]any:
		name := path[0].(string)
		if len(path) == 1 && gone {
			delete(inner, name)
		} else {
			inner[name] = changed(inner[name], path[1:], to, gone)
		}
	case []any:
		number := path[0].(int)
		if len(path) == 1 && gone {
			return slices.Delete(inner, number, number+1)
		}
		inner[number] = changed(inner[number], path[1:], to, gone)
	}
	return value
}

func spelt(path []any) string {
	text := "spec"
	for _, step := range path {
		text += fmt.Sprintf(".%v", step)
	}
	return text
}

// generalized leaves out which item of a list it is.
func generalized(path []any) string {
	var steps []any
	for _, step := range path {
		if _, number := step.(int); number {
			step = "*"
		}
		steps = append(steps, step)
	}
	return spelt(steps)
}

// named gives an object a name and the namespace it is tried in.
func named(object *unstructured.Unstructured, namespaced bool) {
	if object.GetName() == "" && object.GetGenerateName() == "" {
		object.SetName("sample-" + strconv.Itoa(len(object.GetKind())))
	}
	object.SetNamespace("")
	if namespaced {
		object.SetNamespace("default")
	}
}
