package clientgo

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"golang.org/x/net/websocket"

	"gatehouse.dev/conformance/harness"
)

// TestWebSocket follows ConfigMaps as a page in a browser would: each event is a message, and a token may stand among the
// protocols, as a page can set no header.
func TestWebSocket(t *testing.T) {
	folder := t.TempDir()
	policy, log := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "audit.log")
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, verbs: [watch]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := harness.Start(t, "--controllers=-*", "--audit-policy-file", policy, "--audit-log-path", log)
	// recorded tells at which stages a watch over WebSocket was recorded.
	recorded := func(stage string) bool {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
			return strings.Contains(line, `"stage":"`+stage+`"`) && strings.Contains(line, `"code":101`)
		})
	}
	client := server.Client()
	maps := client.CoreV1().ConfigMaps("default")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "first"}}, metav1.CreateOptions{})
	must(err)
	dial := func(as *rest.Config, query string, protocols ...string) (*websocket.Conn, error) {
		t.Helper()
		address := "wss://" + strings.TrimPrefix(server.Config.Host, "https://") + "/api/v1/namespaces/default/configmaps?watch=true" + query
		config, err := websocket.NewConfig(address, "http://localhost")
		must(err)
		config.Protocol = protocols
		config.TlsConfig, err = rest.TLSConfigFor(as)
		must(err)
		config.TlsConfig.NextProtos = []string{"http/1.1"}
		return websocket.DialConfig(config)
	}
	receive := func(conn *websocket.Conn) (what, name string) {
		t.Helper()
		var message string
		must(websocket.Message.Receive(conn, &message))
		var event struct {
			Type   string
			Object corev1.ConfigMap
		}
		must(json.Unmarshal([]byte(message), &event))
		return event.Type, event.Object.Name
	}

	conn, err := dial(server.Config, "&resourceVersion="+made.ResourceVersion)
	must(err)
	_, err = maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "second"}}, metav1.CreateOptions{})
	must(err)
	must(maps.Delete(t.Context(), "first", metav1.DeleteOptions{}))
	for _, want := range [][2]string{{"ADDED", "second"}, {"DELETED", "first"}} {
		if what, name := receive(conn); what != want[0] || name != want[1] {
			t.Fatalf("got %s %s, want %v", what, name, want)
		}
	}
	harness.Eventually(t, "the audit log tells that the watch began", func() bool { return recorded("ResponseStarted") })
	if recorded("ResponseComplete") {
		t.Error("the audit log tells that the watch ended, and it goes on")
	}
	must(conn.Close())
	harness.Eventually(t, "the audit log tells that the watch ended", func() bool { return recorded("ResponseComplete") })

	_, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "page"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "page"}},
	}, metav1.CreateOptions{})
	must(err)
	_, err = client.CoreV1().ServiceAccounts("default").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "page"}}, metav1.CreateOptions{})
	must(err)
	token, err := client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "page", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(err)
	encoded := "base64url.bearer.authorization.k8s.io." + base64.RawURLEncoding.EncodeToString([]byte(token.Status.Token))
	nobody := rest.AnonymousClientConfig(server.Config)
	if _, err := dial(nobody, ""); err == nil {
		t.Fatal("nobody was let in")
	}
	conn, err = dial(nobody, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", encoded, "base64.binary.k8s.io")
	must(err)
	for {
		what, name := receive(conn)
		if what == "BOOKMARK" {
			t.Fatal("second was not among what is there")
		}
		if what == "ADDED" && name == "second" {
			break
		}
	}
	if protocols := conn.Config().Protocol; len(protocols) != 1 || protocols[0] != "base64.binary.k8s.io" {
		t.Errorf("got the protocols %v", protocols)
	}
	must(conn.Close())
}
