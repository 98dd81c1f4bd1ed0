package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// fills is how many differently filled objects of a kind are defaulted; the first has every struct and no scalar.
	fills = 60
	// atRequest stands for a default that is the time of the request.
	atRequest = "<now>"
	// depth stops recursive types.
	depth = 14
)

// words fill strings, so that defaults that hang on another field's value show both faces.
var words = strings.Fields("x x:latest x:1.2 ClusterIP NodePort LoadBalancer ExternalName Always Never OnFailure IfNotPresent " +
	"Recreate RollingUpdate OnDelete Resource Pods Object External ContainerResource Limited Exempt Queue Reject Indexed NonIndexed Local Cluster " +
	"TCP UDP SCTP HTTP HTTPS ClientIP None Delete Retain Immediate Webhook User Group ServiceAccount Container Limits Hard")

// observed counts, for a field that was empty, the JSON it had after defaulting ("" for still empty) and in which kinds.
type observed struct {
	values map[string]int
	kinds  map[string]bool
}

// defaulter runs upstream's defaulting functions and watches what they fill.
type defaulter struct {
	seen map[fieldKey]*observed
}

func observeDefaults(kinds []kindRow) map[fieldKey]*observed {
	d := defaulter{map[fieldKey]*observed{}}
	for _, kind := range kinds {
		if strings.HasSuffix(kind.kind, "List") || kind.scheme == nil {
			continue
		}
		for seed := range int64(fills) {
			before := reflect.New(kind.of)
			fill(before.Elem(), rand.New(rand.NewSource(seed)), seed == 0, depth)
			object, ok := before.Interface().(runtime.Object)
			if !ok {
				break
			}
			after := object.DeepCopyObject()
			if safely(func() { kind.scheme.Default(after) }) {
				d.compare(kind.gv+" "+kind.kind, before.Elem(), reflect.ValueOf(after).Elem())
			}
		}
	}
	return d.seen
}

func fill(into reflect.Value, random *rand.Rand, skeleton bool, left int) {
	if left == 0 {
		return
	}
	if _, leaf := leaves[into.Type()]; leaf {
		return
	}
	some := func() bool { return !skeleton && random.Intn(3) == 0 }
	switch into.Kind() {
	case reflect.Struct:
		for i := range into.NumField() {
			if into.Type().Field(i).IsExported() {
				fill(into.Field(i), random, skeleton, left-1)
			}
		}
	case reflect.Pointer:
		isStruct := into.Type().Elem().Kind() == reflect.Struct
		if isStruct && (skeleton || random.Intn(3) > 0) || some() {
			into.Set(reflect.New(into.Type().Elem()))
			fill(into.Elem(), random, skeleton, left-1)
		}
	case reflect.Slice:
		if into.Type().Elem().Kind() == reflect.Struct && (skeleton || random.Intn(3) > 0) || some() {
			into.Set(reflect.MakeSlice(into.Type(), 1, 1))
			fill(into.Index(0), random, skeleton, left-1)
		}
	case reflect.String:
		if some() {
			into.SetString(words[random.Intn(len(words))])
		}
	case reflect.Map:
		if element := reflect.New(into.Type().Elem()).Elem(); some() {
			if quantity, ok := element.Addr().Interface().(*resource.Quantity); ok {
				*quantity = resource.MustParse("1")
			}
			into.Set(reflect.MakeMap(into.Type()))
			into.SetMapIndex(reflect.ValueOf("cpu").Convert(into.Type().Key()), element)
		}
	case reflect.Bool:
		into.SetBool(some())
	case reflect.Int32, reflect.Int64:
		if some() {
			into.SetInt(int64(1 + random.Intn(9)))
		}
	}
}

func (d *defaulter) compare(kind string, before, after reflect.Value) {
	if _, leaf := leaves[before.Type()]; leaf {
		return
	}
	switch before.Kind() {
	case reflect.Pointer:
		if !before.IsNil() && !after.IsNil() {
			d.compare(kind, before.Elem(), after.Elem())
		}
	case reflect.Slice:
		for i := range min(before.Len(), after.Len()) {
			d.compare(kind, before.Index(i), after.Index(i))
		}
	case reflect.Struct:
		for _, f := range fieldsOf(before.Type()) {
			old, now := before.FieldByIndex(f.index), after.FieldByIndex(f.index)
			if isEmpty(old) && !(old.Kind() == reflect.Struct && leaves[old.Type()] == "") {
				d.record(fieldKey{before.Type(), f.json}, kind, now, strings.Contains(f.Tag.Get("json"), ",omit"))
				continue
			}
			d.compare(kind, old, now)
		}
	}
}

func (d *defaulter) record(key fieldKey, kind string, now reflect.Value, omitted bool) {
	one := d.seen[key]
	if one == nil {
		one = &observed{map[string]int{}, map[string]bool{}}
		d.seen[key] = one
	}
	text := ""
	// An empty list or map in place of nil shows only where Go writes it.
	invisible := (now.Kind() == reflect.Map || now.Kind() == reflect.Slice) && now.Len() == 0 && omitted
	if !now.IsZero() && !invisible {
		encoded, _ := json.Marshal(now.Interface())
		text = string(encoded)
		if now.Type() == reflect.TypeFor[*metav1.Time]() {
			text = atRequest
		}
		one.kinds[kind] = true
	}
	one.values[text]++
}

// unconditional are the defaults that came out the same wherever the field was empty.
func unconditional(seen map[fieldKey]*observed) map[fieldKey]string {
	found := map[fieldKey]string{}
	for key, one := range seen {
		if value, ok := only(one); ok && value != "" && value != atRequest {
			found[key] = value
		}
	}
	return found
}

func only(one *observed) (string, bool) {
	for value := range one.values {
		return value, len(one.values) == 1
	}
	return "", false
}

// conditional lists, by kind, the defaults that depend on something, for those who write them as hooks.
func conditional(seen map[fieldKey]*observed) string {
	var lines []string
	for key, one := range seen {
		if value, ok := only(one); ok && value != atRequest {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s.%s: %s; in %s", key.owner, key.json, strings.Join(sample(one.values), " | "), strings.Join(sample(one.kinds), ", ")))
	}
	sort.Strings(lines)
	head := "# Fields whose default upstream derives from something else, as seen by `cargo x import`: <Go struct>.<field>: <values>; in <kinds>.\n" +
		"# The rows cannot hold them; the kinds' hooks must.\n"
	return head + strings.Join(lines, "\n") + "\n"
}

// sample shows at most six keys, and says when there are more.
func sample[V any](of map[string]V) []string {
	names := keys(of)
	for i, name := range names {
		if name == "" {
			names[i] = "nothing"
		}
	}
	if len(names) > 6 {
		return append(names[:6], "…")
	}
	return names
}
