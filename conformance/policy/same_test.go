package policy

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse.dev/conformance/corpus"
	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/peer"
	"sigs.k8s.io/yaml"
)

const (
	// auditEverything but what the server and its controllers ask for, some of it before any policy is in force.
	auditEverything = `{apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], rules: [` +
		`{level: None, users: ["system:apiserver"]}, {level: None, userGroups: ["system:serviceaccounts:kube-system"]}, {level: RequestResponse}]}`
	// judgedMin is how many requests of the corpus are judged at least; fewer would be no evidence.
	judgedMin = 500
	about     = `{resourceRules: [{apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: ["*"]}]}`
)

// families are those of the corpus' that are asked: kinds as they are made, and what changes them in every way.
var families = []string{"kinds-bare", "apply", "bodies", "changes", "mutated", "pods", "services", "writes"}

// audited are policies that only note what they have to say, so that the corpus goes its way.
var audited = map[string]string{
	"required-labels":   "{labels: [{key: app}]}",
	"default-labels":    "{labels: {team: nobody}}",
	"default-namespace": "{namespaces: [kinds-bare-pod, kinds-bare-deployment]}",
}

// TestSameVerdicts asks a server the corpus' requests, and every policy again in `replay` and in `test`: whatever the request,
// the three say the same.
func TestSameVerdicts(t *testing.T) {
	folder := t.TempDir()
	log, tokens := filepath.Join(folder, "audit.log"), filepath.Join(folder, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(corpus.Tokens), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, append([]string{"--token-auth-file", tokens, "--audit-policy-file", write(t, auditEverything), "--audit-log-path", log},
		peer.Alike...)...)
	a := author{t, s, harness.Gatehouse(t), filepath.Dir(harness.Kubectl(t))}
	// It comes first, because nobody tells from when on it is in force; so it judges the others' objects too.
	places := map[string]string{"cel": auditingInCEL(t, s)}
	for policy, settings := range audited {
		places[policy] = auditing(t, s, policy, settings)
	}

	scenarios, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	scenarios = slices.DeleteFunc(scenarios, func(s corpus.Scenario) bool { return !slices.Contains(families, s.Family) })
	server, err := corpus.Connect(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := corpus.RunAll(t.Context(), server, scenarios); err != nil {
		t.Fatal(err)
	}
	s.Stop()

	recorded := filepath.Join(folder, "recorded.jsonl")
	a.ok("record", "--audit", log, "--out", recorded)
	withoutCEL(t, recorded)
	for policy, place := range places {
		t.Run(policy, func(t *testing.T) {
			a := a.in(t)
			harness.Contains(t, a.ok("replay", place, "--corpus", recorded, "--same"), "\n0 of ", " verdicts are others than the server's")
			if policy != "default-labels" { // a mutator's case names the object afterwards, which no log has
				a.ok("test", place, "--cases", asCases(t, recorded, policy))
			}
		})
	}
}

// auditing binds a policy that ships to everything, and gives the folder of its component.
func auditing(t *testing.T, s *harness.Server, policy, settings string) string {
	file := component(t, policy)
	binding := "apiVersion: policy.gatehouse.dev/v1alpha1\nkind: ClusterPolicyBinding\nmetadata: {name: " + policy + "}\n" +
		"spec: {module: " + policy + ", action: Audit, settings: " + settings + ", matchConstraints: " + about + "}\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "binding.yaml"), []byte(binding), 0o600); err != nil {
		t.Fatal(err)
	}
	bound(t, s, policy, gatehouse(t, filepath.Dir(file), "policy", "manifest", file))
	return file
}

// auditingInCEL does the same with a policy in CEL.
func auditingInCEL(t *testing.T, s *harness.Server) string {
	place := files(t, map[string]string{"policy.yaml": `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: cel}
spec:
  matchConstraints: ` + about + `
  validations: [{expression: "has(object.metadata.labels) && 'app' in object.metadata.labels"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: cel}
spec: {policyName: cel, validationActions: [Audit]}
`})
	s.OK("", "apply", "-f", filepath.Join(place, "policy.yaml"))
	return place
}

// withoutCEL takes the requests from what was recorded that made the first policy, before the others were in force.
func withoutCEL(t *testing.T, recorded string) {
	t.Helper()
	text, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool { return strings.Contains(line, `"name":"cel"`) })
	if err := os.WriteFile(recorded, []byte(strings.Join(kept, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// asCases writes what was recorded as cases whose verdicts are the server's.
func asCases(t *testing.T, recorded, policy string) string {
	t.Helper()
	file, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	settings := json.RawMessage("null")
	if said, ok := audited[policy]; ok {
		settings = asJSON(t, said)
	}
	var all []map[string]any
	refused := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			Request, Object, Old json.RawMessage
			Server               struct {
				Code     int
				Policies map[string]struct{ Verdict string }
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		var about struct{ Operation, Subresource, Resource string }
		if err := json.Unmarshal(line.Request, &about); err != nil {
			t.Fatalf("no request: %s", lines.Text())
		}
		// What match fields leave out is not for `test` to leave out, whose cases are about what the policy says.
		if about.Operation == "DELETE" {
			continue
		}
		var object struct{ APIVersion string }
		if err := json.Unmarshal(line.Object, &object); err != nil {
			t.Fatalf("no object: %s", lines.Text())
		}
		if about.Subresource != "" || strings.HasSuffix(about.Resource, "reviews") || strings.HasPrefix(object.APIVersion, "policy.gatehouse.dev/") {
			continue
		}
		_, isRefused := line.Server.Policies[policy]
		if !isRefused && line.Server.Code >= http.StatusMultipleChoices {
			continue // somebody else refused it before
		}
		if isRefused {
			refused++
		}
		all = append(all, map[string]any{"name": about.Resource, "settings": settings, "request": line.Request, "object": line.Object, "old": line.Old,
			"expect": map[string]any{"allowed": !isRefused}})
	}
	if len(all) < judgedMin || refused == 0 {
		t.Fatalf("%d requests were recorded, of which %s refuses %d", len(all), policy, refused)
	}
	text, err := json.Marshal(map[string]any{"cases": all})
	if err != nil {
		t.Fatal(err)
	}
	return files(t, map[string]string{"recorded.json": string(text)})
}

func asJSON(t *testing.T, text string) json.RawMessage {
	t.Helper()
	value, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return value
}
