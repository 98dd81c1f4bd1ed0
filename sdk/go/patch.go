package policy

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Patch collects what a mutator changes. It keeps a copy of the object up to date, so that what is right already is left
// alone and maps that are missing above a field are made.
type Patch struct {
	object     any
	operations []map[string]any
	warnings   []string
}

// PatchOf begins a patch of this object, for tests of a policy.
func PatchOf(object []byte) (*Patch, error) {
	patch := new(Patch)
	return patch, json.Unmarshal(object, &patch.object)
}

// Set sets a field given by its segments, such as "spec", "containers", "0", "image". It does nothing when the field has
// that value already, or lies below something that is no map.
func (p *Patch) Set(value any, path ...string) *Patch {
	value, err := plain(value)
	if err != nil || len(path) == 0 {
		return p
	}
	at, depth := p.object, 0
	for ; depth < len(path); depth++ {
		below, found := child(at, path[depth])
		if !found {
			break
		}
		at = below
	}
	if depth == len(path) {
		if !reflect.DeepEqual(at, value) {
			p.put("replace", path, value)
		}
		return p
	}
	if _, isMap := at.(map[string]any); !isMap {
		return p
	}
	for n := len(path) - 1; n > depth; n-- {
		value = map[string]any{path[n]: value}
	}
	p.put("add", path[:depth+1], value)
	return p
}

// Remove removes a field, if it is there.
func (p *Patch) Remove(path ...string) *Patch {
	above, name := p.above(path)
	switch above := above.(type) {
	case map[string]any:
		if _, there := above[name]; !there {
			return p
		}
		delete(above, name)
	case []any:
		index, err := strconv.Atoi(name)
		if err != nil || index < 0 || index >= len(above) {
			return p
		}
		p.replace(path[:len(path)-1], append(append([]any{}, above[:index]...), above[index+1:]...))
	default:
		return p
	}
	p.operations = append(p.operations, map[string]any{"op": "remove", "path": pointer(path)})
	return p
}

// Warning tells the caller something.
func (p *Patch) Warning(message string) *Patch {
	p.warnings = append(p.warnings, message)
	return p
}

// Warnings are those so far.
func (p *Patch) Warnings() []string { return p.warnings }

// Object is the object with the changes so far, as encoding/json decodes it.
func (p *Patch) Object() any { return p.object }

// JSON is the patch as RFC 6902 writes it; nil when nothing changes.
func (p *Patch) JSON() ([]byte, error) {
	if len(p.operations) == 0 {
		return nil, nil
	}
	return json.Marshal(p.operations)
}

func (p *Patch) put(op string, path []string, value any) {
	// As text, because later changes below it go into the copy.
	text, err := json.Marshal(value)
	if err != nil {
		return
	}
	p.replace(path, value)
	p.operations = append(p.operations, map[string]any{"op": op, "path": pointer(path), "value": json.RawMessage(text)})
}

// replace puts a value into the copy.
func (p *Patch) replace(path []string, value any) {
	if len(path) == 0 {
		p.object = value
		return
	}
	above, name := p.above(path)
	switch above := above.(type) {
	case map[string]any:
		above[name] = value
	case []any:
		if index, err := strconv.Atoi(name); err == nil && index >= 0 && index < len(above) {
			above[index] = value
		}
	}
}

func (p *Patch) above(path []string) (any, string) {
	if len(path) == 0 {
		return nil, ""
	}
	at, last := p.object, len(path)-1
	for _, name := range path[:last] {
		at, _ = child(at, name)
	}
	return at, path[last]
}

func child(at any, name string) (any, bool) {
	switch at := at.(type) {
	case map[string]any:
		below, found := at[name]
		return below, found
	case []any:
		if index, err := strconv.Atoi(name); err == nil && index >= 0 && index < len(at) {
			return at[index], true
		}
	}
	return nil, false
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

func pointer(path []string) string {
	var text strings.Builder
	for _, name := range path {
		text.WriteString("/" + escape.Replace(name))
	}
	return text.String()
}

// plain is a value as encoding/json decodes it, to compare and to keep.
func plain(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var decoded any
	return decoded, json.Unmarshal(text, &decoded)
}
