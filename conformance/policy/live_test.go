// The commands that speak to a live cluster: record, replay, diff, scan, explain, rollout and rollback.
package policy

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// auditPolicy leaves out what the server and its controllers ask for, some of it before any policy is in force.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:apiserver"]}
- {level: None, userGroups: ["system:serviceaccounts:kube-system"]}
- level: RequestResponse
  verbs: [create, update, patch, delete]
  resources: [{group: "", resources: [configmaps, namespaces, serviceaccounts]}]
- level: None
`

// author runs the commands as somebody whose kubectl speaks to a server.
type author struct {
	t       *testing.T
	s       *harness.Server
	program string
	path    string
}

func (a author) run(args ...string) (string, error) {
	a.t.Helper()
	command := exec.Command(a.program, append([]string{"policy"}, args...)...)
	command.Env = append(os.Environ(), "PATH="+a.path+":"+os.Getenv("PATH"), "KUBECONFIG="+a.s.Kubeconfig,
		"HOME="+a.s.DataDir, "KUBECACHEDIR="+filepath.Join(a.s.DataDir, "kubecache"))
	out, err := command.CombinedOutput()
	return string(out), err
}

// ok runs a command that succeeds.
func (a author) ok(args ...string) string {
	a.t.Helper()
	out, err := a.run(args...)
	if err != nil {
		a.t.Fatalf("gatehouse policy %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// fails runs a command that does not; it tells why.
func (a author) fails(args ...string) string {
	a.t.Helper()
	out, err := a.run(args...)
	if err == nil {
		a.t.Fatalf("gatehouse policy %s succeeded and should not have:\n%s", strings.Join(args, " "), out)
	}
	return out
}

func (a author) in(t *testing.T) author {
	a.t, a.s = t, a.s.In(t)
	return a
}

// folder is a policy as its author has it: a component beside its binding.
func folder(t *testing.T, settings string) string {
	t.Helper()
	file := component(t, "required-labels")
	binding := aboutConfigMaps("ClusterPolicyBinding", "name: labels", "")
	binding = strings.Replace(binding, "{labels: [{key: team}]}", settings, 1)
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "binding.yaml"), []byte(binding), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const inCEL = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: accounts}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [serviceaccounts]}]
  validations:
    - {expression: "true", message: never}
    - {expression: "object.metadata.name != 'refused-in-cel'", message: no account of this name}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: everywhere}
spec: {policyName: accounts, validationActions: [Deny]}
`

func TestLiveCommands(t *testing.T) {
	folders := t.TempDir()
	log := filepath.Join(folders, "audit.log")
	s := harness.Start(t, "--audit-policy-file", write(t, auditPolicy), "--audit-log-path", log)
	a := author{t, s, harness.Gatehouse(t), filepath.Dir(harness.Kubectl(t))}
	file := folder(t, "{labels: [{key: team}]}")
	module, _, _ := strings.Cut(gatehouse(t, filepath.Join(harness.Root(t), "policies"), "policy", "manifest", "required-labels"), "\n---\n")
	s.OK(module, "apply", "-f", "-")
	ready(t, s, "policymodule", "required-labels")
	s.OK("", "create", "namespace", "shop")
	s.OK("", "label", "namespace", "shop", "stage=test")
	s.OK("", "create", "configmap", "bare", "-n", "shop")
	s.OK(aboutConfigMaps("ClusterPolicyBinding", "name: labels", ""), "apply", "-f", "-")
	ready(t, s, "clusterpolicybinding", "labels")
	s.OK(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "good", "namespace": "shop", "labels": {"team": "a"}}}`, "create", "-f", "-")

	t.Run("scan", func(t *testing.T) {
		a := a.in(t)
		harness.Contains(t, a.ok("scan", file, "--resources", "podtemplates"), "0 of 0 objects are fine")
		out := a.fails("scan", file)
		harness.Contains(t, out, `ConfigMap shop/bare: metadata.labels[team]: the label "team" is required (rule label-required)`, "objects are not as they should be")
		if strings.Contains(out, "shop/good") {
			t.Errorf("what is fine is told:\n%s", out)
		}
		exception := func(name, spec string) string {
			return "apiVersion: policy.gatehouse.dev/v1alpha1\nkind: PolicyException\nmetadata: {name: legacy}\n" +
				`spec: {bindings: [labels], expires: "2999-01-01T00:00:00Z", scope: {names: [` + name + `]}, ` + spec + "}\n"
		}
		objects := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bare, namespace: shop}\n---\n"
		for _, spec := range []string{"reason: it is old", "reason: it is old, rules: [label-required]"} {
			out = a.ok("scan", file, "--corpus", write(t, objects+exception("bare", spec)))
			harness.Contains(t, out, "ConfigMap shop/bare: excepted by legacy", "0 of 1 objects are fine, 1 excepted")
		}
		a.fails("scan", file, "--corpus", write(t, objects+exception("another", "reason: it is old")))
		a.fails("scan", file, "--corpus", write(t, objects+exception("bare", "reason: it is old, rules: [another]")))
		harness.Contains(t, a.fails("scan", file, "--corpus", write(t, objects+exception("bare", `reason: ""`))), `PolicyException "legacy": spec.reason: Required value`)
		a.s.OK(exception("bare", "reason: it is old"), "create", "-f", "-")
		harness.Contains(t, a.fails("scan", file), "ConfigMap shop/bare: excepted by legacy", "1 excepted")
		a.s.OK("", "delete", "policyexception", "legacy")
	})

	t.Run("explain a policy in CEL", func(t *testing.T) {
		a := a.in(t)
		a.s.OK(inCEL, "apply", "-f", "-")
		harness.Eventually(t, "the policy refuses", func() bool {
			_, said, err := a.s.Run("", "create", "serviceaccount", "refused-in-cel", "--dry-run=server")
			return err != nil && strings.Contains(said, "denied request: no account of this name")
		})
		var out string
		harness.Eventually(t, "the log has the refusal", func() bool {
			said, err := a.run("explain", "--audit", log)
			out = said
			return err == nil && strings.Contains(said, "ValidatingAdmissionPolicy 'accounts' with binding 'everywhere' denied request")
		})
		id := ""
		for line := range strings.SplitSeq(out, "\n") {
			if strings.Contains(line, "'accounts'") {
				id, _, _ = strings.Cut(line, " ")
			}
		}
		harness.Contains(t, a.ok("explain", id, "--audit", log),
			`policy "accounts" in CEL (validatingadmissionpolicy) refused, binding "everywhere"`,
			"no account of this name", "spec.validations[1]: object.metadata.name != 'refused-in-cel'")
		a.s.OK("", "delete", "validatingadmissionpolicy", "accounts")
		harness.Contains(t, a.ok("explain", id, "--audit", log), "the policy is gone")
	})

	t.Run("run", func(t *testing.T) {
		a := a.in(t)
		several := write(t, "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: shop}\n")
		harness.Contains(t, a.fails("run", file, "--object", several),
			"CREATE Service shop/a: not asked: matchConstraints.resourceRules leaves it out",
			`CREATE ConfigMap shop/b: metadata.labels[team]: the label "team" is required (rule label-required)`, "refuses it")
		harness.Contains(t, a.fails("run", file, "--live", "namespace shop"), "nothing there concerns the policy")
		harness.Contains(t, a.fails("run", file, "--object", write(t, "hello")), "document 1 is no object")
	})

	t.Run("record, replay and diff", func(t *testing.T) {
		a := a.in(t)
		recorded := filepath.Join(t.TempDir(), "recorded.jsonl")
		var out string
		harness.Eventually(t, "the log has the requests", func() bool {
			out, _ = a.run("record", file, "--audit", log, "--out", recorded)
			text, _ := os.ReadFile(recorded)
			return strings.Contains(string(text), `"bare"`) && strings.Contains(string(text), `"good"`)
		})
		harness.Contains(t, out, "requests")
		harness.Contains(t, a.ok("replay", file, "--corpus", recorded), "CREATE ConfigMap shop/bare: refused: metadata.labels[team]: ", "1 refused")
		other := folder(t, "{labels: [{key: owner}]}")
		harness.Contains(t, a.ok("diff", file, other, "--corpus", recorded), "CREATE ConfigMap shop/good", "+ refused: metadata.labels[owner]: ")

		fromCluster := filepath.Join(t.TempDir(), "cluster.jsonl")
		a.ok("record", file, "--out", fromCluster)
		harness.Contains(t, a.ok("replay", file, "--corpus", fromCluster), "ConfigMap shop/bare: refused")
		harness.Contains(t, a.ok("diff", file, other), "ConfigMap shop/good")
	})

	t.Run("explain", func(t *testing.T) {
		a := a.in(t)
		a.s.OK(aboutConfigMaps("PolicyBinding", "name: elsewhere, namespace: default", ""), "apply", "-f", "-")
		ready(t, a.s, "policybinding", "elsewhere", "-n", "default")
		other := strings.Replace(aboutConfigMaps("ClusterPolicyBinding", "name: unasked", ""), "configmaps", "secrets", 1)
		a.s.OK(other, "apply", "-f", "-")
		ready(t, a.s, "clusterpolicybinding", "unasked")
		id := refusedID(t, a.s)
		var out string
		harness.Eventually(t, "the log has the refusal", func() bool {
			said, err := a.run("explain", id, "--audit", log)
			out = said
			return err == nil
		})
		harness.Contains(t, out, "create configmaps/shop/refused by ", "answer 403: ",
			`policy "labels" refused: module required-labels, revision `, "action Deny, ", " µs\n  rule label-required at metadata.labels[team]",
			`settings {"labels":[{"key":"team"}]}`,
			`policy "unasked": not asked: matchConstraints.resourceRules leaves the request out`,
			`policy "default/elsewhere": not asked: its own namespace leaves the request out`)
		harness.Contains(t, a.ok("explain", "--audit", log), id+"  create configmaps/shop/refused by ", "tells more of one of them")
		harness.Contains(t, a.fails("explain", "no-such-id", "--audit", log), "has no answer to no-such-id")
		harness.Eventually(t, "the object is judged", func() bool {
			out = a.ok("explain", "--live", "configmap bare -n shop")
			return strings.Contains(out, `policy "labels": fail, rule label-required, at metadata.labels[team], revision `)
		})
		harness.Contains(t, out, "ConfigMap shop/bare", `policy "unasked": not asked: matchConstraints.resourceRules`)
		a.s.OK("", "delete", "policybinding", "elsewhere", "-n", "default")
		a.s.OK("", "delete", "clusterpolicybinding", "unasked")
	})

	t.Run("rollout and rollback", func(t *testing.T) {
		a := a.in(t)
		create := func(namespace string) string {
			_, refusal, _ := a.s.Run("", "create", "configmap", "tried", "-n", namespace, "--dry-run=server")
			return refusal
		}
		settings := write(t, "labels: [{key: owner}]")
		harness.Contains(t, a.fails("rollback", "labels"), "labels has no candidate, and no promotion")
		harness.Contains(t, a.fails("rollout", "labels", "--promote"), "labels has no candidate; name one by --candidate")
		harness.Contains(t, a.fails("rollout", "labels", "--candidate", "nothing"), `module "nothing": it does not exist`)
		harness.Contains(t, a.ok("rollback", "labels"), "the candidate is taken back")

		harness.Contains(t, a.ok("rollout", "labels", "--settings", settings), "labels: the candidate is judged in shadow")
		harness.Contains(t, create("default"), `the label "team" is required`)
		harness.Eventually(t, "the difference is told", func() bool {
			a.s.Refused("", "create", "configmap", "tried", "-n", "default")
			return strings.Contains(a.ok("rollout", "labels"), "label-required at metadata.labels[owner]")
		})
		harness.Contains(t, a.ok("rollout", "labels", "--namespaces", "stage=test"), "in force where the selector says so")
		harness.Contains(t, create("shop"), `the label "owner" is required`)
		harness.Contains(t, create("default"), `the label "team" is required`)

		harness.Contains(t, a.ok("rollout", "labels", "--promote"), "labels: required-labels is in force, revision ",
			`takes it back to required-labels with settings {"labels":[{"key":"team"}]}`)
		harness.Contains(t, create("default"), `the label "owner" is required`)
		harness.Contains(t, a.ok("rollback", "labels"), "labels: required-labels is in force again, revision ", `with settings {"labels":[{"key":"team"}]}`)
		harness.Contains(t, create("default"), `the label "team" is required`)
		harness.Contains(t, create("shop"), `the label "team" is required`)
		harness.Contains(t, a.ok("rollback", "labels"), "is in force again")
		harness.Contains(t, create("shop"), `the label "owner" is required`)
	})
}

// refusedID makes a request that is refused, and gives the id by which the answer names it.
func refusedID(t *testing.T, s *harness.Server) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "refused"}})
	if err != nil {
		t.Fatal(err)
	}
	var id string
	config := *s.Config
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(request *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(request)
			if err == nil {
				id = answer.Header.Get("Audit-Id")
			}
			return answer, err
		})
	})
	inner := *s
	inner.Config = &config
	_, err = inner.Client().CoreV1().RESTClient().Post().Namespace("shop").Resource("configmaps").Body(body).
		SetHeader("Content-Type", "application/json").DoRaw(t.Context())
	if err == nil || id == "" {
		t.Fatalf("the request was not refused, or its answer names no id (%v, %q)", err, id)
	}
	return id
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
