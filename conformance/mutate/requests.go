package main

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"gatehouse.dev/conformance/corpus"
)

var (
	labelSelectors = []string{"", "a", "!a", "a=b", "a==b", "a!=b", "a===b", "a in (b,c)", "a in (c,b,b)", "a notin (b)", "a in ()", "a notin ()", "a in", "a in (", "a in (b", "a in b", "a b", "a>1", "a<1",
		"a>x", "a>1,b<2", "a>=1", "a=>1", "-a", "a=-b", "a=", "a=,b", "a,,b", ",", "a,", ",a", "!a=b", "! a", "!", "!!a", "a=b,a=c", "(a)", "a in ((b))", "x/y/z=a", "/a", "a/", "a=b=c", "a = b", " a=b ", "a=b c", "in in (in)", "notin",
		"notin notin (notin)", "a!b", "a!", "a=(b)", "a in (b,)", "a in (,b)", "a in (,)", "a notin (b))", "a exists", "a=ü", "ü=a", "A_b.c-d=E", "a='b'", `a="b"`, "a\tin\n(b)", "a in(b)", "a~b", "a=b;c", "*", "a=*", "null", "a in (b) c",
		strings.Repeat("k", 64), "a=" + strings.Repeat("v", 64), strings.Repeat("d.", 130) + "d/k=a", "a>9223372036854775808", "a>-1", "a>1.5", "a,!a", "a in (b),a notin (c)"}
	fieldSelectors = []string{"", "metadata.name=x", "metadata.name==x", "metadata.name!=x", "metadata.name", "metadata.name=", "metadata.namespace=x", "metadata.namespace!=", "metadata.uid=x", "metadata.labels=x", "name=x", "=", "=x", "!=x",
		"a=b", "a=b=c", "metadata.name=a=b", "metadata.name in (a)", "metadata.name>a", ",", "metadata.name=x,", ",metadata.name=x", "metadata.name=x,metadata.name=y", "metadata.name=x,metadata.name!=x", `metadata.name=a\,b`, `metadata.name=a\=b`,
		`metadata.name=a\b`, `metadata.name=a\`, "Metadata.name=x", "metadata.name =x", "metadata.name= x", " metadata.name=x", "spec.nodeName=x", "status.phase=x", "spec.unschedulable=true", "type=x", "reason=x", "involvedObject.kind=Pod",
		"involvedObject.nothing=x", "spec.clusterIP=x", "spec.type=x", "status.successful=1", "status.replicas=1", "spec.restartPolicy=Always", "spec.schedulerName=x", "spec.serviceAccountName=x", "spec.hostNetwork=true", "status.podIP=x",
		"status.podIPs=x", "status.nominatedNodeName=x", "spec.driver=x", "spec.nodeName=", "spec.signerName=x", "spec.group=x", "spec.podName=x", "source=x", "reportingComponent=x", "regarding.kind=x", "spec.parentRef.name=x", "immutable=true", "!metadata.name"}
	listOptions = []string{"limit=-1", "limit=0", "limit=x", "limit=1e3", "limit=", "limit=1.5", "limit=99999999999999999999", "limit=1&limit=2", "continue=x", "continue=", "continue=e30", "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ",
		"continue=x&resourceVersion=1", "resourceVersion=x", "resourceVersion=-1", "resourceVersion=1.5", "resourceVersion=99999999999999999999", "resourceVersion=0&limit=1", "resourceVersion=01", "resourceVersionMatch=Exact",
		"resourceVersionMatch=Exact&resourceVersion=0", "resourceVersionMatch=NotOlderThan", "resourceVersionMatch=Odd&resourceVersion=1", "resourceVersionMatch=exact&resourceVersion=1", "timeoutSeconds=x", "timeoutSeconds=-1", "timeoutSeconds=0",
		"watch=x", "watch=0", "watch=false", "watch=true&resourceVersion=x", "watch=true&limit=x", "watch=1&labelSelector=(", "watch=true&fieldSelector=a", "watch=true&fieldSelector=a=b", "watch=true&continue=x", "watch=true&resourceVersionMatch=Exact&resourceVersion=1",
		"watch=true&resourceVersionMatch=NotOlderThan", "watch=true&sendInitialEvents=true", "sendInitialEvents=true", "sendInitialEvents=x", "watch=true&sendInitialEvents=true&resourceVersionMatch=Exact", "watch=true&sendInitialEvents=false", "allowWatchBookmarks=x",
		"watch=true&allowWatchBookmarks=x", "pretty=x", "pretty=true", "pretty=false", "pretty=1", "nothing=x", "fieldManager=x", "dryRun=All", "fieldValidation=x", "limit=1;x", "limit=%", "labelSelector=%zz", "shardSelector=x"}
	writeOptions = []string{"dryRun=", "dryRun=x", "dryRun=All&dryRun=All", "dryRun=All&dryRun=x", "dryRun=all", "dryRun=true", "dryRun=All&fieldValidation=x", "dryRun=All&fieldValidation=strict", "dryRun=All&fieldValidation=Warn", "dryRun=All&fieldValidation=",
		"dryRun=All&fieldManager=", "dryRun=All&fieldManager=" + strings.Repeat("m", 128), "dryRun=All&fieldManager=" + strings.Repeat("m", 129), "dryRun=All&fieldManager=a%09b", "dryRun=All&fieldManager=%C3%BC", "dryRun=All&force=true", "dryRun=All&force=x",
		"dryRun=All&force=false", "dryRun=All&pretty=true", "dryRun=All&timeout=x", "dryRun=All&timeout=-1s", "dryRun=All&timeout=1h", "dryRun=All&nothing=x", "dryRun=All&fieldManager=x&fieldManager=y"}
	deleteQueries = []string{"", "dryRun=x", "propagationPolicy=x", "propagationPolicy=Orphan", "propagationPolicy=Foreground&orphanDependents=true", "orphanDependents=x", "orphanDependents=true", "gracePeriodSeconds=x", "gracePeriodSeconds=-1", "gracePeriodSeconds=0",
		"gracePeriodSeconds=1.5", "propagationPolicy=", "ignoreStoreReadErrorWithClusterBreakingPotential=true", "ignoreStoreReadErrorWithClusterBreakingPotential=x", "preconditions.uid=x", "nothing=x"}
	deleteBodies = []string{`{}`, `[]`, `5`, `"x"`, `{`, ``, `{"kind":"DeleteOptions"}`, `{"apiVersion":"v1"}`, `{"kind":"DeleteOptions","apiVersion":"v1"}`, `{"kind":"DeleteOptions","apiVersion":"example.com/v1"}`, `{"kind":"Pod","apiVersion":"v1"}`,
		`{"kind":"DeleteOptions","apiVersion":"meta.k8s.io/v1"}`, `{"propagationPolicy":"x"}`, `{"propagationPolicy":5}`, `{"propagationPolicy":""}`, `{"propagationPolicy":"Foreground","orphanDependents":false}`, `{"orphanDependents":"x"}`, `{"orphanDependents":true}`,
		`{"gracePeriodSeconds":-1}`, `{"gracePeriodSeconds":"x"}`, `{"gracePeriodSeconds":1.5}`, `{"gracePeriodSeconds":1e3}`, `{"gracePeriodSeconds":null}`, `{"preconditions":{}}`, `{"preconditions":{"uid":5}}`, `{"preconditions":{"uid":""}}`, `{"preconditions":{"resourceVersion":"x"}}`,
		`{"preconditions":{"resourceVersion":""}}`, `{"preconditions":[]}`, `{"dryRun":"All"}`, `{"dryRun":["x"]}`, `{"dryRun":["All","All"]}`, `{"nothing":1}`, `{"ignoreStoreReadErrorWithClusterBreakingPotential":true}`,
		`{"ignoreStoreReadErrorWithClusterBreakingPotential":true,"gracePeriodSeconds":0}`, `{"dryRun":["All"],"propagationPolicy":"Orphan"}`, `{"preconditions":{"uid":"11111111-2222-3333-4444-555555555555","resourceVersion":"1"}}`}
	wholePatches = []string{`{}`, `null`, `[]`, `5`, `"x"`, `{`, ``, `[{}]`, `[{"op":"add"}]`, `[{"op":"odd","path":"/a"}]`, `[{"op":"add","path":"/a"}]`, `[{"op":"remove","path":""}]`, `[{"op":"replace","path":"","value":{}}]`, `[{"op":"test","path":"","value":{}}]`,
		`[{"op":"add","path":"a","value":1}]`, `[{"op":"copy","from":"/metadata/name","path":"/metadata/labels"}]`, `[{"op":"move","from":"/nothing","path":"/metadata/labels"}]`, `[{"op":"copy","path":"/metadata/labels"}]`, `[{"op":"remove","path":"/metadata/nothing"}]`,
		`[{"op":"replace","path":"/nothing","value":1}]`, `[{"op":"add","path":"/metadata/labels/a~1b","value":"c"}]`, `[{"op":"add","path":"/metadata/annotations/-","value":"c"}]`, `[{"op":"test","path":"/metadata/name","value":"x"}]`, `[{"op":"test","path":"/metadata/nothing","value":null}]`,
		`[{"op":"test","path":"/nothing/at/all","value":1}]`, `[{"op":"remove","path":"/metadata/name"}]`, `[{"op":"replace","path":"/metadata/name","value":"other"}]`, `[{"op":"replace","path":"/kind","value":"Other"}]`, `[{"op":"remove","path":"/apiVersion"}]`,
		`[{"op":"add","path":"/metadata/finalizers","value":"x"}]`, `[{"op":"add","path":"/metadata/finalizers/-","value":"example.com/x"}]`, `[{"op":"add","path":"/metadata/finalizers/5","value":"x"}]`, `[{"op":"add","path":"/metadata/labels","value":5}]`,
		`{"kind":"Other"}`, `{"apiVersion":"v9"}`, `{"kind":null}`, `{"metadata":null}`, `{"metadata":5}`, `{"metadata":{"name":"other"}}`, `{"metadata":{"name":null}}`, `{"metadata":{"uid":"x"}}`, `{"metadata":{"resourceVersion":"1"}}`, `{"metadata":{"namespace":"other"}}`,
		`{"$patch":"delete"}`, `{"$patch":"replace"}`, `{"$patch":"merge"}`, `{"$patch":"odd"}`, `{"$patch":5}`, `{"metadata":{"$patch":"delete"}}`, `{"metadata":{"$patch":"replace","labels":{"a":"b"}}}`, `{"metadata":{"labels":{"$patch":"delete"}}}`, `{"metadata":{"labels":{"$patch":"replace","x":"y"}}}`,
		`{"metadata":{"$retainKeys":["name"]}}`, `{"metadata":{"$retainKeys":5}}`, `{"metadata":{"$retainKeys":["x"],"labels":{"a":"b"}}}`, `{"metadata":{"finalizers":["$patch"]}}`, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["x"]}}`, `{"metadata":{"$deleteFromPrimitiveList/finalizers":"x"}}`,
		`{"metadata":{"$deleteFromPrimitiveList/labels":["x"]}}`, `{"metadata":{"$setElementOrder/finalizers":["a"]}}`, `{"metadata":{"$setElementOrder/finalizers":["a"],"finalizers":["b.example.com/x"]}}`, `{"metadata":{"$setElementOrder/nothing":[]}}`, `{"metadata":{"$odd/x":1}}`,
		`{"metadata":{"ownerReferences":[{"$patch":"delete","uid":"x"}]}}`, `{"metadata":{"ownerReferences":[{"$patch":"replace"}]}}`, `{"metadata":{"ownerReferences":[{"$patch":"odd","uid":"x"}]}}`, `{"metadata":{"ownerReferences":[{"name":"x"}]}}`, `{"metadata":{"ownerReferences":[5]}}`}
	applied = []string{`{}`, `null`, `5`, `[]`, `{"apiVersion":"v1"}`, `{"metadata":{"name":"other"}}`, `{"metadata":{"managedFields":[]}}`, `{"metadata":{"managedFields":[{}]}}`, `{"metadata":{"uid":"x"}}`, `{"metadata":{"resourceVersion":"1"}}`, `{"metadata":{"labels":{"a":null}}}`,
		`{"metadata":{"labels":null}}`, `{"metadata":{"finalizers":["a.example.com/x","a.example.com/x"]}}`, `{"metadata":{"ownerReferences":[{"uid":"x","name":"a","kind":"B","apiVersion":"v1"},{"uid":"x","name":"a","kind":"B","apiVersion":"v1"}]}}`, `{"metadata":{"ownerReferences":[{"name":"a"}]}}`,
		`{"metadata":{"nothing":1}}`, `{"nothing":1}`, `{"metadata":{"labels":{"a":5}}}`, `{"metadata":{"labels":[]}}`, `{"metadata":{"creationTimestamp":null}}`, `{"metadata":{"generation":5}}`, `{"metadata":{"name":null}}`, `{"metadata":{"namespace":"other"}}`}
)

// around are requests about the collection and the object as it is.
func around(of *base) []question {
	var found []question
	ask := func(what, do string, raw *string, headers map[string]string) {
		step := corpus.Step{Do: do, Raw: raw, Headers: headers}
		found = append(found, question{of: of, mode: requests, mutation: mutation{path: []string{what}, what: strings.TrimPrefix(do, "GET ")}, step: step, made: true})
	}
	for _, text := range labelSelectors {
		ask("labels", "GET "+of.path+"?labelSelector="+url.QueryEscape(text), nil, nil)
	}
	for _, text := range fieldSelectors {
		ask("fields", "GET "+of.path+"?fieldSelector="+url.QueryEscape(text), nil, nil)
	}
	for _, text := range listOptions {
		if strings.Contains(text, "watch") {
			if !strings.HasSuffix(of.definition, ".ConfigMap") {
				continue // a watch that is granted lasts a second
			}
			text += "&timeoutSeconds=1"
		}
		ask("list", "GET "+of.path+"?"+text, nil, nil)
		ask("get", "GET "+of.one()+"?"+text, nil, nil)
	}
	for _, text := range deleteQueries {
		ask("delete", "DELETE "+of.one()+"?dryRun=All&"+text, nil, nil)
		ask("delete all", "DELETE "+of.path+"?labelSelector=none&dryRun=All&"+text, nil, nil)
	}
	for _, text := range deleteBodies {
		// A body is read in the place of the query: it must say itself that nothing shall go.
		if inner, ok := strings.CutPrefix(text, "{"); ok && inner != "" && !strings.Contains(text, "dryRun") {
			text = strings.Replace(`{"dryRun":["All"],`+inner, ",}", "}", 1)
		}
		ask("delete by "+text, "DELETE "+of.one()+"?dryRun=All", &text, nil)
	}
	whole := string(encoded(of.value))
	for _, text := range writeOptions {
		if !strings.HasPrefix(text, "dryRun=All") {
			text += "&dryRun=All"
		}
		ask("create", "POST "+of.path+"?"+text, &whole, nil)
		ask("update", "PUT "+of.one()+"?"+text, &whole, nil)
		for _, form := range []string{"merge", "apply"} {
			ask(form, "PATCH:"+form+" "+of.one()+"?"+text, &whole, nil)
		}
	}
	return append(found, patches(of)...)
}

// patches are bodies of every form that is patched with.
func patches(of *base) (found []question) {
	ask := func(form, text string) {
		step := corpus.Step{Do: "PATCH:" + form + " " + of.one() + "?dryRun=All", Raw: &text}
		if form == "apply" {
			step.Do += "&fieldManager=applier"
		}
		found = append(found, question{of: of, mode: requests, mutation: mutation{path: []string{form}, what: text}, step: step, made: true})
	}
	for _, form := range []string{"merge", "strategic", "jsonpatch"} {
		for _, text := range wholePatches {
			ask(form, text)
		}
	}
	metadata, _ := of.value["metadata"].(map[string]any)
	for _, text := range applied {
		ask("apply", text)
		if inner, ok := strings.CutPrefix(text, "{"); ok && text != "{}" {
			ask("apply", fmt.Sprintf(`{"apiVersion":%q,"kind":%q,%s`, of.value["apiVersion"], of.value["kind"], inner))
		}
	}
	ask("apply", fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q}}`, of.value["apiVersion"], of.value["kind"], metadata["name"]))
	directives(nil, of.value, func(path []string, patch any) {
		for i := len(path) - 1; i >= 0; i-- {
			patch = map[string]any{path[i]: patch}
		}
		ask("strategic", string(encoded(patch)))
	})
	return found
}

// directives puts each directive of strategic merge patches at each map and each list that no other list holds.
func directives(path []string, value map[string]any, put func([]string, any)) {
	for _, name := range slices.Sorted(maps.Keys(value)) {
		at := child(path, name)
		switch inner := value[name].(type) {
		case map[string]any:
			for _, directive := range []any{"delete", "replace", "merge", "odd"} {
				put(at, map[string]any{"$patch": directive})
			}
			put(at, map[string]any{"$retainKeys": []any{"x"}})
			put(at, map[string]any{"$retainKeys": slices.Sorted(maps.Keys(inner))})
			directives(at, inner, put)
		case []any:
			put(at, []any{map[string]any{"$patch": "replace"}})
			put(at, []any{map[string]any{"$patch": "delete"}})
			put(at, []any{map[string]any{"$patch": "odd"}})
			put(path, map[string]any{"$setElementOrder/" + name: inner})
			put(path, map[string]any{"$deleteFromPrimitiveList/" + name: inner})
			if len(inner) == 0 {
				continue
			}
			put(path, map[string]any{"$setElementOrder/" + name: []any{inner[len(inner)-1]}, name: inner})
			if first, ok := inner[0].(map[string]any); ok {
				gone := maps.Clone(first)
				gone["$patch"] = "delete"
				put(at, []any{gone})
				put(at, []any{first})
				for _, member := range slices.Sorted(maps.Keys(first)) {
					put(at, []any{map[string]any{member: first[member]}})
				}
			}
		}
	}
}
