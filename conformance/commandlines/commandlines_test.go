// Package commandlines starts Gatehouse with the command lines that installers write for kube-apiserver, etcd's flags and all. Only
// the port, which nobody may choose in a test, and the folder of the keys are others.
package commandlines

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/peer"
)

var update = flag.Bool("update", false, "write what kube-apiserver's --help prints for the program to print it")

// TestHelp compares what the program says of itself under the name kube-apiserver.
func TestHelp(t *testing.T) {
	root := harness.Root(t)
	apiserver, _, err := peer.Build(t.Context(), filepath.Join(root, "conformance"), filepath.Join(root, ".build"))
	if err != nil {
		t.Fatal(err)
	}
	for _, question := range []string{"--help", "--version"} {
		want, err := exec.Command(apiserver, question).Output()
		if err != nil {
			t.Fatal(err)
		}
		if *update && question == "--help" {
			if err := os.WriteFile(filepath.Join(root, "gateway/gatehouse/src/flags/help.txt"), want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		process := command(t, folder{t, t.TempDir()}, question)
		process.Dir = ""
		if got, err := process.Output(); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v; -update and a build mend what differs from upstream's:\n%s", question, err, got)
		}
	}
}

// TestKubeadm starts what kubeadm's static pod of 1.37 runs, beside an etcd that only speaks to those it knows, and asks what the
// pod's probes ask.
func TestKubeadm(t *testing.T) {
	pki := folder{t, t.TempDir()}
	ca, front, store := pki.authority("ca"), pki.authority("front-proxy-ca"), pki.authority("etcd/ca")
	pki.signed("apiserver", ca, pkix.Name{CommonName: "kube-apiserver"})
	pki.signed("apiserver-kubelet-client", ca, pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"kubeadm:cluster-admins"}})
	pki.signed("front-proxy-client", front, pkix.Name{CommonName: "front-proxy-client"})
	pki.signed("etcd/server", store, pkix.Name{CommonName: "etcd"})
	pki.signed("apiserver-etcd-client", store, pkix.Name{CommonName: "kube-apiserver-etcd-client"})
	pki.signed("admin", ca, pkix.Name{CommonName: "kubernetes-super-admin", Organization: []string{"system:masters"}})
	pki.pair("sa")
	servers := etcd(t, "--listen-client-urls", "https://127.0.0.1:0", "--cert-file", pki.path("etcd/server.crt"), "--key-file", pki.path("etcd/server.key"),
		"--trusted-ca-file", pki.path("etcd/ca.crt"), "--client-cert-auth")
	s := start(t, pki, `--advertise-address=192.0.2.10 --allow-privileged=true --authorization-mode=Node,RBAC --client-ca-file=PKI/ca.crt
		--enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true --etcd-cafile=PKI/etcd/ca.crt
		--etcd-certfile=PKI/apiserver-etcd-client.crt --etcd-keyfile=PKI/apiserver-etcd-client.key --etcd-servers=`+strings.Replace(servers, "http:", "https:", 1)+`
		--kubelet-client-certificate=PKI/apiserver-kubelet-client.crt --kubelet-client-key=PKI/apiserver-kubelet-client.key
		--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname --proxy-client-cert-file=PKI/front-proxy-client.crt
		--proxy-client-key-file=PKI/front-proxy-client.key --requestheader-allowed-names=front-proxy-client --requestheader-client-ca-file=PKI/front-proxy-ca.crt
		--requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User
		--secure-port=0 --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file=PKI/sa.pub
		--service-account-signing-key-file=PKI/sa.key --service-cluster-ip-range=10.96.0.0/12 --tls-cert-file=PKI/apiserver.crt
		--tls-private-key-file=PKI/apiserver.key`)
	// A kubelet asks without knowing the authority.
	probe := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for _, path := range []string{"/livez", "/readyz"} {
		harness.Eventually(t, "an answer to the probe "+path, func() bool {
			answer, err := probe.Get("https://" + s.address + path)
			if err != nil {
				return false
			}
			_ = answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		})
	}
	client := s.client("admin")
	service, err := client.CoreV1().Services("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil || service.Spec.ClusterIP != "10.96.0.1" {
		t.Errorf("the Service kubernetes is %v, %v", service.Spec.ClusterIP, err)
	}
	if _, err := client.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "extension-apiserver-authentication", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// TestKwokctl starts what kwokctl runs for 1.37 without containers.
func TestKwokctl(t *testing.T) {
	pki := folder{t, t.TempDir()}
	pki.signed("admin", pki.authority("ca"), pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"system:masters"}})
	policy := "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
	pki.write("audit.yaml", []byte(policy))
	s := start(t, pki, `--etcd-prefix=/registry --allow-privileged=true --runtime-config=api/legacy=true,api/alpha=false --max-requests-inflight=10000
		--max-mutating-requests-inflight=10000 --etcd-servers=`+etcd(t)+` --authorization-mode=Node,RBAC --bind-address=127.0.0.1 --secure-port=0
		--tls-cert-file=PKI/admin.crt --tls-private-key-file=PKI/admin.key --client-ca-file=PKI/ca.crt --service-account-key-file=PKI/admin.key
		--service-account-signing-key-file=PKI/admin.key --service-account-issuer=https://kubernetes.default.svc.cluster.local
		--proxy-client-key-file=PKI/admin.key --proxy-client-cert-file=PKI/admin.crt --audit-policy-file=PKI/audit.yaml --audit-log-path=PKI/audit.log --v=4`)
	if _, err := s.client("admin").CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, "a line in the audit log", func() bool {
		text, err := os.ReadFile(pki.path("audit.log"))
		return err == nil && strings.Contains(string(text), `"resource":"nodes"`)
	})
}

// TestEtcdByTheSystemsAuthorities reaches an etcd over TLS without --etcd-cafile: whom the system trusts may have signed its
// certificate, and nobody else.
func TestEtcdByTheSystemsAuthorities(t *testing.T) {
	pki := folder{t, t.TempDir()}
	store := pki.authority("store")
	pki.signed("etcd", store, pkix.Name{CommonName: "etcd"})
	pki.authority("other")
	pki.pair("sa")
	servers := etcd(t, "--listen-client-urls", "https://127.0.0.1:0", "--cert-file", pki.path("etcd.crt"), "--key-file", pki.path("etcd.key"))
	line := `--secure-port=0 --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file=PKI/sa.pub
		--service-account-signing-key-file=PKI/sa.key --etcd-servers=` + strings.Replace(servers, "http:", "https:", 1)
	start(t, pki, line, "SSL_CERT_FILE="+pki.path("store.crt"))

	refused := command(t, pki, line+" --storage-initialization-timeout=2s", "SSL_CERT_FILE="+pki.path("other.crt"))
	if output, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(output), "cannot list what is in etcd") {
		t.Errorf("an etcd that nobody vouches for is taken: %v\n%s", err, output)
	}
}

// etcd starts one and says where it is.
func etcd(t *testing.T, flags ...string) string {
	t.Helper()
	root := harness.Root(t)
	_, program, err := peer.Build(t.Context(), filepath.Join(root, "conformance"), filepath.Join(root, ".build"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := peer.StartEtcd(t.Context(), program, t.TempDir(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Stop)
	return store.URL
}

// server is a Gatehouse under the other's name.
type server struct {
	t       *testing.T
	pki     folder
	address string
}

var serving = regexp.MustCompile(`serving address=(\S+)`)

// start runs a command line; PKI in it is the folder of the keys.
func start(t *testing.T, pki folder, line string, environment ...string) *server {
	t.Helper()
	process := command(t, pki, line, environment...)
	log := filepath.Join(process.Dir, "log")
	output, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	process.Stdout, process.Stderr = output, output
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	s := &server{t: t, pki: pki}
	defer func() {
		if s.address == "" {
			text, _ := os.ReadFile(log)
			t.Logf("%s", text)
		}
	}()
	harness.Eventually(t, "a server with this command line", func() bool {
		text, _ := os.ReadFile(log)
		found := serving.FindSubmatch(text)
		if found == nil {
			return false
		}
		_, port, _ := strings.Cut(strings.TrimPrefix(string(found[1]), "[::]"), ":")
		s.address = fmt.Sprint("127.0.0.1:", port)
		return true
	})
	return s
}

// command is Gatehouse under the other's name, in a folder of its own.
func command(t *testing.T, pki folder, line string, environment ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "kube-apiserver")
	if err := os.Symlink(harness.Gatehouse(t), program); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(program, strings.Fields(strings.ReplaceAll(line, "PKI/", pki.dir+"/"))...)
	process.Dir, process.Env = dir, append(os.Environ(), environment...)
	return process
}

// client is one with a certificate of the folder.
func (s *server) client(name string) *kubernetes.Clientset {
	s.t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "https://" + s.address, TLSClientConfig: rest.TLSClientConfig{
		CAFile: s.pki.path("ca.crt"), CertFile: s.pki.path(name + ".crt"), KeyFile: s.pki.path(name + ".key")}})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}
