package main

import (
	"context"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"sort"
	"strings"
	"unicode"

	extensionsfuzzer "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/fuzzer"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	fault "k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	apitesting "k8s.io/kubernetes/pkg/api/testing"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// samples is how many pairs of random objects a strategy is tried on.
const samples = 16

// strategyFacts are words for what the strategies of a storage say and, tried on random objects, do.
func strategyFacts(in served) []string {
	if in.store == nil || !keepsOwnKind(in) {
		return nil
	}
	var words []string
	if !strings.Contains(in.path, "/") {
		words = append(words, mainFacts(in)...)
	}
	if update := in.store.UpdateStrategy; update != nil {
		words = append(words, wordFor("keeps", kept(in, update))...)
		words = append(words, againFact(in, update)...)
		if !strings.Contains(in.path, "/") {
			counted := generation(in, update)
			words = append(words, wordFor("generation", counted)...)
			if len(counted) > 0 && in.store.CreateStrategy != nil && keepsGeneration(in) {
				words = append(words, "generation-given")
			}
		}
	}
	if reset, ok := in.storage.(rest.ResetFieldsStrategy); ok {
		words = append(words, wordFor("reset", resetFields(in, reset.GetResetFields()))...)
	}
	return words
}

// keepsOwnKind is false for subresources whose body is another kind (scale, eviction) or that are connected to.
func keepsOwnKind(in served) bool {
	if !strings.Contains(in.path, "/") {
		return true
	}
	_, updates := in.storage.(rest.Updater)
	return updates && reflect.TypeOf(in.storage.New()) == reflect.TypeOf(in.store.NewFunc())
}

func mainFacts(in served) []string {
	var words []string
	if in.store.CreateStrategy != nil {
		words = append(words, wordFor("clears", cleared(in, in.store.CreateStrategy))...)
		words = append(words, nameFact(in)...)
	}
	if update := in.store.UpdateStrategy; update != nil {
		if update.AllowCreateOnUpdate(contextFor(in)) {
			words = append(words, "create-on-update")
		}
		if update.AllowUnconditionalUpdate(contextFor(in)) {
			words = append(words, "unconditional-update")
		}
	}
	if _, ok := in.store.DeleteStrategy.(rest.RESTGracefulDeleteStrategy); ok {
		words = append(words, "graceful")
	}
	if policy, ok := in.store.DeleteStrategy.(rest.GarbageCollectionDeleteStrategy); ok {
		if chosen := policy.DefaultGarbageCollectionPolicy(contextFor(in)); chosen != rest.DeleteDependents {
			words = append(words, "gc="+string(chosen))
		}
	}
	if in.store.ReturnDeletedObject {
		words = append(words, "returns-deleted")
	}
	return words
}

func wordFor(word string, values []string) []string {
	if len(values) == 0 {
		return nil
	}
	return []string{word + "=" + strings.Join(values, ",")}
}

func contextFor(in served) context.Context {
	ctx := genericapirequest.WithUser(context.Background(), &user.DefaultInfo{Name: "someone"})
	resource, sub, _ := strings.Cut(in.path, "/")
	return genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{
		IsResourceRequest: true, APIGroup: in.gv.Group, APIVersion: in.gv.Version, Resource: resource, Subresource: sub,
	})
}

var fillers = fuzzer.MergeFuzzerFuncs(apitesting.FuzzerFuncs, extensionsfuzzer.Funcs)

// randomGeneration is the generation of random objects.
const randomGeneration = 7

// random fills an object from a seed, with the fillers by which upstream makes its own tests' objects.
func random(in served, seed int64) runtime.Object {
	codecs := serializer.NewCodecFactory(in.scheme)
	object := in.store.NewFunc()
	fuzzer.FuzzerFor(fillers, rand.NewSource(seed), codecs).Fill(object)
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetGeneration(randomGeneration)
		accessor.SetDeletionTimestamp(nil)
		accessor.SetManagedFields(nil)
		accessor.SetGenerateName("")
		accessor.SetName("x")
	}
	return object
}

// parts are the fields a strategy may keep: the top ones, and those of metadata that a person sets.
func parts(object runtime.Object) map[string]reflect.Value {
	found := map[string]reflect.Value{}
	value := reflect.ValueOf(object).Elem()
	for i := range value.NumField() {
		name := value.Type().Field(i).Name
		switch name {
		case "TypeMeta":
		case "ObjectMeta":
			metadata := value.Field(i).Interface().(metav1.ObjectMeta)
			found["metadata.labels"] = reflect.ValueOf(metadata.Labels)
			found["metadata.annotations"] = reflect.ValueOf(metadata.Annotations)
			found["metadata.finalizers"] = reflect.ValueOf(metadata.Finalizers)
			found["metadata.ownerReferences"] = reflect.ValueOf(metadata.OwnerReferences)
		default:
			found[lower(name)] = value.Field(i)
		}
	}
	return found
}

// lower turns a Go field's name into its JSON one; the internal types carry no tags.
func lower(name string) string {
	runes := []rune(name)
	for i := range runes {
		if i > 0 && i+1 < len(runes) && !unicode.IsUpper(runes[i+1]) {
			break
		}
		runes[i] = unicode.ToLower(runes[i])
	}
	return string(runes)
}

// kept lists the parts that always are the old object's after PrepareForUpdate.
func kept(in served, strategy rest.RESTUpdateStrategy) []string {
	return whatHolds(in, func(seed int64) (map[string]bool, bool) {
		before, after := random(in, seed), random(in, seed+1000)
		wanted := after.DeepCopyObject()
		if !safely(func() { strategy.PrepareForUpdate(contextFor(in), after, before) }) {
			return nil, false
		}
		held := map[string]bool{}
		old, original := parts(before), parts(wanted)
		for name, now := range parts(after) {
			if !same(original[name], old[name]) {
				held[name] = same(now, old[name])
			}
		}
		return held, true
	})
}

// cleared lists the parts that always are empty after PrepareForCreate.
func cleared(in served, strategy rest.RESTCreateStrategy) []string {
	return whatHolds(in, func(seed int64) (map[string]bool, bool) {
		object := random(in, seed)
		before := parts(object.DeepCopyObject())
		if !safely(func() { strategy.PrepareForCreate(contextFor(in), object) }) {
			return nil, false
		}
		held := map[string]bool{}
		for name, now := range parts(object) {
			// A status that is reset to its first phase counts as cleared: the hook says what it becomes.
			if !isEmpty(before[name]) {
				held[name] = isEmpty(now) || name == "status" && !same(now, before[name])
			}
		}
		return held, true
	})
}

func same(a, b reflect.Value) bool {
	return apiequality.Semantic.DeepEqual(a.Interface(), b.Interface())
}

func isEmpty(value reflect.Value) bool {
	if value.Kind() == reflect.Map || value.Kind() == reflect.Slice {
		return value.Len() == 0
	}
	return value.IsZero()
}

// generation lists the parts whose change alone raises metadata.generation, or "create" where only creation sets it.
func generation(in served, strategy rest.RESTUpdateStrategy) []string {
	names := []string{}
	for name := range parts(in.store.NewFunc()) {
		if name != "status" && raises(in, strategy, name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	if len(names) == 0 && in.store.CreateStrategy != nil {
		object := random(in, 1)
		if safely(func() { in.store.CreateStrategy.PrepareForCreate(contextFor(in), object) }) {
			if accessor, _ := meta.Accessor(object); accessor.GetGeneration() == 1 {
				return []string{"create"}
			}
		}
	}
	return names
}

// keepsGeneration tells whether a new object keeps the generation that a client gave it.
func keepsGeneration(in served) bool {
	for seed := range int64(samples) {
		object := random(in, seed)
		accessor, err := meta.Accessor(object)
		if err != nil || !safely(func() { in.store.CreateStrategy.PrepareForCreate(contextFor(in), object) }) {
			continue
		}
		return accessor.GetGeneration() == randomGeneration
	}
	return false
}

func raises(in served, strategy rest.RESTUpdateStrategy, name string) bool {
	raised, tried := 0, 0
	for seed := range int64(samples) {
		before := random(in, seed)
		other := random(in, seed+1000)
		after := before.DeepCopyObject()
		copyPart(after, other, name)
		if same(parts(before)[name], parts(after)[name]) {
			continue
		}
		tried++
		if !safely(func() { strategy.PrepareForUpdate(contextFor(in), after, before) }) {
			continue
		}
		if accessor, _ := meta.Accessor(after); accessor.GetGeneration() == randomGeneration+1 {
			raised++
		}
	}
	return raised > tried/2
}

func copyPart(to, from runtime.Object, name string) {
	target, source := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	if part, ok := strings.CutPrefix(name, "metadata."); ok {
		target, source = target.FieldByName("ObjectMeta"), source.FieldByName("ObjectMeta")
		name = part
	}
	for i := range target.NumField() {
		if lower(target.Type().Field(i).Name) == name {
			target.Field(i).Set(source.Field(i))
		}
	}
}

// whatHolds lists the parts for which no trial said no and at least one said yes; a trial is silent about a part that
// its random objects cannot show.
func whatHolds(in served, trial func(seed int64) (map[string]bool, bool)) []string {
	yes, no := map[string]bool{}, map[string]bool{}
	for seed := range int64(samples) {
		held, _ := trial(seed)
		for name, holds := range held {
			yes[name], no[name] = yes[name] || holds, no[name] || !holds
		}
	}
	var names []string
	for name := range yes {
		if yes[name] && !no[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// safely runs a strategy, which may refuse random objects by panicking.
func safely(run func()) (ok bool) {
	defer func() { ok = recover() == nil }()
	run()
	return true
}

func resetFields(in served, all map[fieldpath.APIVersion]*fieldpath.Set) []string {
	set, ok := all[fieldpath.APIVersion(in.gv.String())]
	if !ok {
		return nil
	}
	var names []string
	set.Iterate(func(path fieldpath.Path) {
		names = append(names, strings.TrimPrefix(path.String(), "."))
	})
	sort.Strings(names)
	return slices.Compact(names)
}

// nameProbes are names that one rule or another refuses.
var nameProbes = []string{"Upper", "with.dot", "1digit", "with:colon", "with/slash", strings.Repeat("a", 64), strings.Repeat("a", 254)}

// ownName lists what is named as its spec says, where objects with an empty spec look as if there were a plain rule.
var ownName = map[string]bool{"clustertrustbundles": true}

// nameFact tells the rule for metadata.name by the probes that it refuses whatever else the object says, and whether it
// leaves metadata.generateName to the rule for all names.
func nameFact(in served) []string {
	if ownName[in.path] {
		return []string{"name=own"}
	}
	var wrong []string
	for _, probe := range nameProbes {
		if refusesAlways("metadata.name", created(in, func(object metav1.Object) { object.SetName(probe) })) {
			wrong = append(wrong, fmt.Sprintf("%.9s/%d", probe, len(probe)))
		}
	}
	rule, ok := nameRules[strings.Join(wrong, " ")]
	if !ok {
		rule = "?" + strings.Join(wrong, "?")
	}
	words := []string{"name=" + rule}
	generated := created(in, func(object metav1.Object) { object.SetGenerateName(badGenerateName) })
	if slices.Contains(wrong, "Upper/5") && !refusesAlways("metadata.generateName", generated) {
		words = append(words, "generate-name=any")
	}
	return words
}

// badGenerateName is one that no rule takes which asks for more than a part of a path.
const badGenerateName = "Upper"

// againFact tells whether an update judges names again, which shows in metadata.generateName: names do not change.
func againFact(in served, update rest.RESTUpdateStrategy) []string {
	updated := func(seed int64) fault.ErrorList {
		before := random(in, seed)
		after := before.DeepCopyObject()
		if accessor, err := meta.Accessor(after); err == nil {
			accessor.SetGenerateName(badGenerateName)
		}
		return update.ValidateUpdate(contextFor(in), after, before)
	}
	if refusesAlways("metadata.generateName", updated) {
		return []string{"names-again"}
	}
	return nil
}

// created judges new random objects with a change.
func created(in served, change func(metav1.Object)) func(seed int64) fault.ErrorList {
	return func(seed int64) fault.ErrorList {
		object := random(in, seed)
		if accessor, err := meta.Accessor(object); err == nil {
			accessor.SetNamespace("")
			if in.store.CreateStrategy.NamespaceScoped() {
				accessor.SetNamespace("default")
			}
			change(accessor)
		}
		return in.store.CreateStrategy.Validate(contextFor(in), object)
	}
}

// refusesAlways tells whether a strategy, asked about random objects, finds a field wrong each time that it answers.
func refusesAlways(name string, validate func(seed int64) fault.ErrorList) bool {
	tried := false
	for seed := range int64(samples) {
		var errors fault.ErrorList
		if !safely(func() { errors = validate(seed) }) {
			continue
		}
		tried = true
		if !slices.ContainsFunc(errors, func(one *fault.Error) bool { return one.Field == name }) {
			return false
		}
	}
	return tried
}

// nameRules are upstream's name functions by what they refuse; a kind whose name follows from its spec refuses all.
// What the strategy leaves alone is still checked as a path segment once all else is well, as every name is.
var nameRules = map[string]string{
	"": "any",
	"Upper/5 with:colo/10 with/slas/10 aaaaaaaaa/254":                                  "subdomain",
	"Upper/5 with:colo/10 with/slas/10 aaaaaaaaa/64 aaaaaaaaa/254":                     "subdomain",
	"Upper/5 with.dot/8 with:colo/10 with/slas/10 aaaaaaaaa/64 aaaaaaaaa/254":          "label",
	"Upper/5 with.dot/8 1digit/6 with:colo/10 with/slas/10 aaaaaaaaa/64 aaaaaaaaa/254": "own",
	"with/slas/10": "path",
}
