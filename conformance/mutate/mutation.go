package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

const (
	// oddAtOnce is how many odd values of each field are tried; which ones hangs on the seed.
	oddAtOnce = 8
	// madeDepth is how deep a value goes that is made up for a field that an object lacks.
	madeDepth = 3
)

// mutation is one change to an object.
type mutation struct {
	// path leads to what is changed; parts are names of members and numbers of elements.
	path []string
	// field is what is changed, by the types around it: the same in every object that holds such a value.
	field string
	// what the change is, for a person and to tell changes of one field apart.
	what string
	// value is put there, unless the member is taken away.
	value any
	gone  bool
}

// mutations are the changes to an object of a definition, in a fixed order for a seed.
func mutations(all schemas, definition string, whole map[string]any, random *rand.Rand) []mutation {
	w := walk{all: all, random: random}
	w.members(nil, "root", schema{Ref: "#/definitions/" + definition}, whole)
	return w.found
}

type walk struct {
	all    schemas
	random *rand.Rand
	found  []mutation
}

func (w *walk) set(path []string, field string, value any) {
	what := string(encoded(value))
	if len(what) > 60 {
		what = fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(what[:40], ""), len(what))
	}
	w.found = append(w.found, mutation{path: path, field: field, what: what, value: value})
}

// members changes what an object has, and adds what it lacks.
func (w *walk) members(path []string, owner string, one schema, value map[string]any) {
	name, resolved := w.all.resolve(one)
	around := owner + ">" + name
	for _, member := range slices.Sorted(maps.Keys(resolved.Properties)) {
		at, field := child(path, member), around+"."+member
		if inner, has := value[member]; has {
			w.found = append(w.found, mutation{path: at, field: field, what: "deleted", gone: true})
			w.value(at, field, name+"."+member, resolved.Properties[member], inner)
		} else {
			w.absent(at, field, resolved.Properties[member])
		}
	}
	w.set(child(path, "unheardOf"), around+".unheardOf", 1)
	for _, member := range slices.Sorted(maps.Keys(value)) {
		if folded := strings.ToUpper(member[:1]) + member[1:]; len(path) < 4 {
			w.set(child(path, folded), around+"."+folded, value[member])
			break
		}
	}
}

// absent adds a field: nothing, something, and all that may stand in it.
func (w *walk) absent(at []string, field string, one schema) {
	name, resolved := w.all.resolve(one)
	kind := sortOf(name, resolved)
	for _, value := range usual[kind] {
		w.set(at, field, value)
	}
	switch kind {
	case isText:
		for _, word := range words(one.Description) {
			w.set(at, field, word)
		}
		w.set(at, field, "")
	case isObject:
		w.set(at, field, w.all.made(one, madeDepth))
		for _, member := range slices.Sorted(maps.Keys(resolved.Properties)) {
			w.set(at, field, map[string]any{member: w.all.made(resolved.Properties[member], 1)})
		}
	case isList:
		element := w.all.made(*resolved.Items, madeDepth)
		w.set(at, field, []any{element, element})
		w.set(at, field, []any{w.all.made(*resolved.Items, 0)})
		w.set(at, field, []any{nil})
	case isMap:
		w.set(at, field, w.all.made(one, 1))
	}
	w.some(at, field, odd[kind], 3)
}

// value changes what is there, and what lies within.
func (w *walk) value(at []string, field, owner string, one schema, value any) {
	name, resolved := w.all.resolve(one)
	kind := sortOf(name, resolved)
	w.set(at, field, nil)
	w.some(at, field, wrong(kind), 2)
	switch kind {
	case isText:
		w.set(at, field, "")
		for _, word := range words(one.Description) {
			w.set(at, field, word)
		}
	case isFlag:
		on, _ := value.(bool)
		w.set(at, field, !on)
	case isObject:
		w.set(at, field, map[string]any{})
		if inner, ok := value.(map[string]any); ok {
			w.members(at, owner, one, inner)
		}
	case isList:
		w.elements(at, field, owner, *resolved.Items, value)
	case isMap:
		w.entries(at, field, owner, *resolved.Additional, value)
	}
	w.some(at, field, odd[kind], oddAtOnce)
}

func (w *walk) elements(at []string, field, owner string, of schema, value any) {
	elements, _ := value.([]any)
	w.set(at, field, []any{})
	w.set(at, field, []any{nil})
	if len(elements) == 0 {
		return
	}
	w.set(at, field+"[again]", append(slices.Clone(elements), elements[0]))
	w.set(at, field+"[null]", append(slices.Clone(elements), nil))
	w.set(at, field+"[made]", append(slices.Clone(elements), w.all.made(of, madeDepth)))
	w.set(at, field+"[empty]", append(slices.Clone(elements), w.all.made(of, 0)))
	if len(elements) > 1 {
		w.set(at, field+"[first]", elements[:1])
		back := slices.Clone(elements)
		slices.Reverse(back)
		w.set(at, field+"[reversed]", back)
	}
	for i, element := range elements {
		w.value(child(at, strconv.Itoa(i)), field+"[]", owner+"[]", of, element)
	}
}

func (w *walk) entries(at []string, field, owner string, of schema, value any) {
	entries, _ := value.(map[string]any)
	w.set(at, field, map[string]any{})
	names := slices.Sorted(maps.Keys(entries))
	sample := w.all.made(of, 1)
	if len(names) > 0 {
		sample = entries[names[0]]
	}
	for _, i := range w.random.Perm(len(keys))[:oddAtOnce] {
		w.set(child(at, keys[i]), field+"{"+keys[i]+"}", sample)
	}
	for _, name := range names {
		w.found = append(w.found, mutation{path: child(at, name), field: field + "{}", what: "deleted", gone: true})
		w.value(child(at, name), field+"{}", owner+"{}", of, entries[name])
	}
}

// some puts a few of the values.
func (w *walk) some(at []string, field string, values []any, count int) {
	for n, i := range w.random.Perm(len(values)) {
		if n == count {
			break
		}
		w.set(at, field, values[i])
	}
}

func child(path []string, part string) []string {
	return append(slices.Clone(path), part)
}

// of is a copy of the object with the change.
func (m mutation) of(whole map[string]any) map[string]any {
	changed, _ := m.at(whole, m.path).(map[string]any)
	return changed
}

func (m mutation) at(value any, path []string) any {
	if len(path) == 0 {
		return m.value
	}
	switch value := value.(type) {
	case []any:
		made := slices.Clone(value)
		if index, err := strconv.Atoi(path[0]); err == nil && index < len(made) {
			made[index] = m.at(made[index], path[1:])
		}
		return made
	case map[string]any:
		made := maps.Clone(value)
		if len(path) == 1 && m.gone {
			delete(made, path[0])
		} else {
			made[path[0]] = m.at(made[path[0]], path[1:])
		}
		return made
	}
	return value
}

// patch is a merge patch of the object that makes the change: lists are sent whole.
func (m mutation) patch(whole map[string]any) map[string]any {
	var part any = m.value
	if m.gone {
		part = nil
	}
	depth := len(m.path)
	var value any = whole
	for i, step := range m.path {
		if inner, ok := value.(map[string]any); ok {
			value = inner[step]
			continue
		}
		// From the first list on everything is sent.
		depth = i
		break
	}
	if depth < len(m.path) {
		part = m.at(value, m.path[depth:])
	}
	for i := depth - 1; i >= 0; i-- {
		part = map[string]any{m.path[i]: part}
	}
	patch, _ := part.(map[string]any)
	return patch
}

// String is the change as a person reads it.
func (m mutation) String() string {
	return strings.Join(m.path, ".") + " = " + m.what
}
