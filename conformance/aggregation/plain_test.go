package aggregation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// plain is an extension server that answers as a test says and remembers who asked for what.
type plain struct {
	port      int
	authority []byte

	server *httptest.Server
	mutex  sync.Mutex
	answer http.HandlerFunc
	asked  []*http.Request
}

// startPlain serves under the name of a service until the test ends.
func startPlain(t *testing.T, service string, answer http.HandlerFunc, settings ...func(*httptest.Server)) *plain {
	t.Helper()
	certificate, key, authority := certificates(t, []string{service + ".svc"})
	pair, err := tls.X509KeyPair(certificate, key)
	check(t, err)
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	check(t, err)
	p := &plain{port: listener.Addr().(*net.TCPAddr).Port, authority: authority, answer: answer}
	p.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}}
	p.server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	for _, set := range settings {
		set(p.server)
	}
	p.server.StartTLS()
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	p.asked = append(p.asked, r.Clone(r.Context()))
	answer := p.answer
	p.mutex.Unlock()
	answer(w, r)
}

// last is the newest request below a path.
func (p *plain) last(t *testing.T, path string) *http.Request {
	t.Helper()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for i := len(p.asked) - 1; i >= 0; i-- {
		if p.asked[i].URL.Path == path {
			return p.asked[i]
		}
	}
	t.Fatalf("nobody asked for %s", path)
	return nil
}

// certificates makes an authority and a certificate that it signed for these names.
func certificates(t *testing.T, names []string) (certificate, key, authority []byte) {
	t.Helper()
	make := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(t, err)
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		if parent == nil {
			parent, signer = template, own
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, own.Public(), signer)
		check(t, err)
		return der, own
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of " + names[0]}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, caKey := make(ca, nil, nil)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leafDER, leafKey := make(leaf, ca, caKey)
	der, err := x509.MarshalECPrivateKey(leafKey)
	check(t, err)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return block("CERTIFICATE", leafDER), block("EC PRIVATE KEY", der), block("CERTIFICATE", caDER)
}

// file puts bytes into a file of the test's own.
func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(path, content, 0o600))
	return path
}
