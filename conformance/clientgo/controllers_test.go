package clientgo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/harness"
)

// record is of an audit event what tells whose request it was.
type record struct {
	Stage, Verb, UserAgent string
	RequestURI             string
	User                   struct{ Username string }
	Annotations            map[string]string
	ResponseStatus         struct{ Code int }
}

// TestControllersActAsTheirAccounts makes and removes a namespace: the policy and the audit log see controllers as those that
// kube-controller-manager runs.
func TestControllersActAsTheirAccounts(t *testing.T) {
	folder := t.TempDir()
	policy, log := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "audit.log")
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := harness.Start(t, "--audit-policy-file", policy, "--audit-log-path", log)
	client := server.Client()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	account := func(name string) string { return "system:serviceaccount:kube-system:" + name }
	_, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "who"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"serviceaccounts"}},
			}}}},
			MatchConditions:  []admissionv1.MatchCondition{{Name: "controller", Expression: `request.userInfo.username == "` + account("service-account-controller") + `"`}},
			AuditAnnotations: []admissionv1.AuditAnnotation{{Key: "groups", ValueExpression: `request.userInfo.groups.join(" ")`}},
		},
	}, metav1.CreateOptions{})
	must(err)
	_, err = client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "who"},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "who", ValidationActions: []admissionv1.ValidationAction{admissionv1.Audit}},
	}, metav1.CreateOptions{})
	must(err)

	// found looks for what somebody asked for.
	found := func(user, verb, uri string) *record {
		text, err := os.ReadFile(log)
		must(err)
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			var one record
			if json.Unmarshal(lines.Bytes(), &one) == nil && one.User.Username == user && one.Verb == verb && one.RequestURI == uri {
				return &one
			}
		}
		return nil
	}
	// A policy is in force a moment after it was made.
	name := ""
	harness.Eventually(t, "the policy sees who makes service accounts", func() bool {
		if name != "" {
			must(client.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}))
		}
		made, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "made-"}}, metav1.CreateOptions{})
		must(err)
		name = made.Name
		uri := "/api/v1/namespaces/" + name + "/serviceaccounts"
		harness.Eventually(t, "a service account is made", func() bool { return found(account("service-account-controller"), "create", uri) != nil })
		return found(account("service-account-controller"), "create", uri).Annotations["who/groups"] == "system:serviceaccounts system:serviceaccounts:kube-system system:authenticated"
	})
	uri := "/api/v1/namespaces/" + name
	harness.Eventually(t, "certificates are published", func() bool { return found(account("root-ca-cert-publisher"), "create", uri+"/configmaps") != nil })
	must(client.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}))
	harness.Eventually(t, "the namespace is gone", func() bool {
		return found(account("namespace-controller"), "update", uri+"/finalize") != nil
	})
	for _, want := range []struct{ verb, path string }{
		{"delete", "/serviceaccounts/default"}, {"delete", "/configmaps/kube-root-ca.crt"}, {"update", "/status"}, {"update", "/finalize"},
	} {
		got := found(account("namespace-controller"), want.verb, uri+want.path)
		if got == nil || got.ResponseStatus.Code != 200 {
			t.Errorf("%s %s is recorded as %+v", want.verb, want.path, got)
			continue
		}
		if !strings.HasPrefix(got.UserAgent, "kube-controller-manager/v1.37.2 (") || !strings.HasSuffix(got.UserAgent, "/"+account("namespace-controller")) {
			t.Errorf("%s %s came by %s", want.verb, want.path, got.UserAgent)
		}
		reason := `RBAC: allowed by ClusterRoleBinding "system:controller:namespace-controller" of ClusterRole "system:controller:namespace-controller" to ServiceAccount "namespace-controller/kube-system"`
		if got.Annotations["authorization.k8s.io/reason"] != reason {
			t.Errorf("%s %s was %v", want.verb, want.path, got.Annotations)
		}
	}
	// Whatever any of them asked for it may.
	text, err := os.ReadFile(log)
	must(err)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var one record
		must(json.Unmarshal(lines.Bytes(), &one))
		if one.Annotations["authorization.k8s.io/decision"] == "forbid" {
			t.Errorf("%s", lines.Text())
		}
	}
}
