package main

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/kube-openapi/pkg/util"
)

// leaves are the Go types with an encoding of their own, by the word that the table uses for them.
var leaves = map[reflect.Type]string{
	reflect.TypeFor[resource.Quantity]():                                 "quantity",
	reflect.TypeFor[metav1.Time]():                                       "time",
	reflect.TypeFor[metav1.MicroTime]():                                  "microtime",
	reflect.TypeFor[metav1.Duration]():                                   "duration",
	reflect.TypeFor[intstr.IntOrString]():                                "intorstring",
	reflect.TypeFor[runtime.RawExtension]():                              "raw",
	reflect.TypeFor[runtime.Unknown]():                                   "raw",
	reflect.TypeFor[metav1.FieldsV1]():                                   "fields",
	reflect.TypeFor[apiextensionsv1.JSON]():                              "json",
	reflect.TypeFor[any]():                                               "json",
	reflect.TypeFor[runtime.Object]():                                    "json",
	reflect.TypeFor[metav1.InternalEvent]():                              "json",
	reflect.TypeFor[[]byte]():                                            "bytes",
	reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrBool]():             "json",
	reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrArray]():            "json",
	reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrStringArray]():      "json",
	reflect.TypeFor[apiextensionsv1beta1.JSON]():                         "json",
	reflect.TypeFor[apiextensionsv1beta1.JSONSchemaPropsOrBool]():        "json",
	reflect.TypeFor[apiextensionsv1beta1.JSONSchemaPropsOrArray]():       "json",
	reflect.TypeFor[apiextensionsv1beta1.JSONSchemaPropsOrStringArray](): "json",
}

var scalars = map[reflect.Kind]string{
	reflect.String: "string", reflect.Bool: "bool", reflect.Int32: "int32", reflect.Int64: "int64", reflect.Int: "int",
	reflect.Uint8: "uint8", reflect.Uint32: "uint32", reflect.Uint64: "uint64", reflect.Float64: "float64",
}

// table collects struct types on the way from the registered kinds.
type table struct {
	published published
	defaults  map[fieldKey]string
	seen      map[reflect.Type]bool
	types     []reflect.Type
}

type fieldKey struct {
	owner reflect.Type
	json  string
}

// field is one JSON field of a struct, with the fields of inlined structs already lifted into their owner.
type field struct {
	reflect.StructField
	json   string
	inside string // protobuf numbers of the inlined messages that hold it, each with a dot, or empty
	within string // Go's names of the inlined structs that hold it, each with a dot, or empty
	number string // protobuf number, 0 where protobuf does not carry the field
	index  []int
}

func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || (!f.IsExported() && !f.Anonymous) {
			continue
		}
		inline := strings.Contains(options, "inline") || (f.Anonymous && name == "")
		if !inline {
			if name == "" {
				name = f.Name
			}
			all = append(all, field{f, name, "", "", protoNumber(f), []int{i}})
			continue
		}
		for _, inner := range fieldsOf(f.Type) {
			if outer := protoNumber(f); outer == "0" {
				inner.inside, inner.number = "", "0"
			} else {
				inner.inside = outer + "." + inner.inside
			}
			if f.Type != reflect.TypeFor[metav1.TypeMeta]() { // a kind of a wrong type is told of before
				inner.within = f.Name + "." + inner.within
			}
			inner.index = append([]int{i}, inner.index...)
			all = append(all, inner)
		}
	}
	return all
}

func protoNumber(f reflect.StructField) string {
	if parts := strings.Split(f.Tag.Get("protobuf"), ","); len(parts) > 1 {
		return parts[1]
	}
	return "0"
}

func modelName(t reflect.Type) string {
	named, ok := reflect.Zero(t).Interface().(interface{ OpenAPIModelName() string })
	// Who has no name of its own has that of the metadata within it.
	if ok && (t == reflect.TypeFor[metav1.TypeMeta]() || named.OpenAPIModelName() != (metav1.TypeMeta{}).OpenAPIModelName()) {
		return named.OpenAPIModelName()
	}
	return util.ToRESTFriendlyName(t.PkgPath() + "." + t.Name())
}

// word spells a type as the table does: a scalar's word, a struct's OpenAPI name, [] and {} before elements.
func (t *table) word(of reflect.Type) string {
	if leaf, ok := leaves[of]; ok {
		return leaf
	}
	switch of.Kind() {
	case reflect.Pointer:
		return t.word(of.Elem())
	case reflect.Slice:
		if of.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + t.word(of.Elem())
	case reflect.Map:
		return "{}" + t.word(of.Elem())
	case reflect.Struct:
		t.add(of)
		return modelName(of)
	}
	if scalar, ok := scalars[of.Kind()]; ok {
		return scalar
	}
	panic(fmt.Sprintf("no word for %s", of))
}

func (t *table) add(of reflect.Type) {
	if t.seen[of] {
		return
	}
	t.seen[of] = true
	t.types = append(t.types, of)
	for _, f := range fieldsOf(of) {
		t.word(f.Type)
	}
}

// plainGo is the Go type that a reader of the table infers from the word.
func plainGo(of reflect.Type) string {
	if leaf, ok := leaves[of]; ok {
		if leaf == "json" {
			return "v1.JSON" // what differs has its own schema, and is named in the table
		}
		return of.String()
	}
	switch of.Kind() {
	case reflect.Pointer:
		return plainGo(of.Elem())
	case reflect.Slice:
		return "[]" + plainGo(of.Elem())
	case reflect.Map:
		return "map[string]" + plainGo(of.Elem())
	case reflect.Struct:
		return of.String()
	}
	return of.Kind().String()
}

func (t *table) line(owner reflect.Type, f field) string {
	goType := f.Type
	words := []string{f.json, f.Name, ""}
	star := ""
	if goType.Kind() == reflect.Pointer {
		star, goType = "*", goType.Elem()
	}
	words[2] = star + t.word(goType)
	words = append(words, f.inside+f.number)
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	for _, option := range strings.Split(options, ",") {
		if option == "omitempty" || option == "omitzero" {
			words = append(words, option)
		}
	}
	if f.within != "" {
		words = append(words, "in="+strings.TrimSuffix(f.within, "."))
	}
	if goType.String() != plainGo(goType) {
		words = append(words, "go="+strings.ReplaceAll(goType.String(), "interface {}", "any"))
	}
	if strategy := f.Tag.Get("patchStrategy"); strategy != "" {
		words = append(words, "patch="+strategy)
	}
	if key := f.Tag.Get("patchMergeKey"); key != "" {
		words = append(words, "key="+key)
	}
	words = append(words, t.published.facts(modelName(owner), f.json, words[2], strings.Contains(options, "omit"))...)
	if value, ok := t.defaults[fieldKey{owner, f.json}]; ok {
		words = append(words, "default="+value)
	}
	return "\t" + strings.Join(words, " ")
}

func (t *table) render(kinds []kindRow) string {
	var out strings.Builder
	out.WriteString("# Derived by `cargo x import`; the format is told in gateway/schema/src/types.rs.\n")
	for _, kind := range kinds {
		fmt.Fprintf(&out, "kind %s %s %s\n", kind.gv, kind.kind, modelName(kind.of))
	}
	sort.Slice(t.types, func(i, j int) bool { return modelName(t.types[i]) < modelName(t.types[j]) })
	for _, of := range t.types {
		words := append([]string{"type", modelName(of), of.String()}, t.published.typeFacts(modelName(of))...)
		out.WriteString(strings.Join(words, " ") + "\n")
		for _, f := range fieldsOf(of) {
			out.WriteString(t.line(of, f) + "\n")
		}
	}
	return out.String()
}

// kindRow is a kind that may come in a body or go out in an answer.
type kindRow struct {
	gv     string
	kind   string
	of     reflect.Type
	scheme *runtime.Scheme
}

// kindsOf lists every kind registered for a version.
func kindsOf(scheme *runtime.Scheme, gv schema.GroupVersion) []kindRow {
	var rows []kindRow
	for kind, of := range scheme.KnownTypes(gv) {
		rows = append(rows, kindRow{gv.String(), kind, of, scheme})
	}
	return rows
}

// discoveryKinds are the kinds of discovery's aggregated form.
func discoveryKinds() []kindRow {
	scheme := runtime.NewScheme()
	utilruntime.Must(apidiscoveryv2.AddToScheme(scheme))
	return slices.DeleteFunc(kindsOf(scheme, apidiscoveryv2.SchemeGroupVersion), func(row kindRow) bool {
		return row.kind != "APIGroupDiscoveryList"
	})
}

// metaKinds are the kinds of meta.k8s.io/v1, which answers in every group use.
func metaKinds() []kindRow {
	scheme := runtime.NewScheme()
	gv := schema.GroupVersion{Group: "meta.k8s.io", Version: "v1"}
	metav1.AddToGroupVersion(scheme, gv)
	utilruntime.Must(metav1.AddMetaToScheme(scheme))
	return kindsOf(scheme, gv)
}

func newTable(schemas published) *table {
	return &table{published: schemas, defaults: map[fieldKey]string{}, seen: map[reflect.Type]bool{}}
}
