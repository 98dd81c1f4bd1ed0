package webhooks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Answer is what a webhook says to a review.
type Answer struct {
	// Response is the review's response; the uid is filled in unless it is said.
	Response map[string]any
	// Raw is the whole body instead.
	Raw string
	// Code and Type are the answer's own.
	Code int
	Type string
	// Hang keeps the answer back until the caller gives up.
	Hang bool
}

// Hooks is a server of webhooks that answer by their path, and remembers what it was asked.
type Hooks struct {
	// URL is its address, and Authority signed its certificate, which Other did not.
	URL              string
	Authority, Other []byte

	server *httptest.Server
	mutex  sync.Mutex
	answer map[string]Answer
	asked  []Asked
}

// Asked is one review that arrived.
type Asked struct {
	Path   string
	Review map[string]any
}

// Serve starts webhooks on the loopback address, under its own name and under those of services.
func Serve(names ...string) (*Hooks, error) {
	certificate, authority, err := certificates("webhook authority", names)
	if err != nil {
		return nil, err
	}
	_, other, err := certificates("another authority", names)
	if err != nil {
		return nil, err
	}
	h := &Hooks{Authority: authority, Other: other, answer: map[string]Answer{}}
	h.server = httptest.NewUnstartedServer(h)
	h.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	// That somebody does not trust it is no fault.
	h.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.server.StartTLS()
	h.URL = h.server.URL
	return h, nil
}

// Close ends the server.
func (h *Hooks) Close() {
	h.server.CloseClientConnections()
	h.server.Close()
}

// Say sets the answers from now on, by path, and forgets what was asked.
func (h *Hooks) Say(answers map[string]Answer) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.answer, h.asked = answers, nil
}

// Asked gives what was asked since the last time.
func (h *Hooks) Asked() []Asked {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	asked := h.asked
	h.asked = nil
	return asked
}

// ServeHTTP answers a review.
func (h *Hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var review map[string]any
	if err := json.Unmarshal(body, &review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.URL.Path == markerPath {
		h.write(w, review, Answer{Response: map[string]any{"allowed": false, "status": map[string]any{"message": markerMessage}}})
		return
	}
	h.mutex.Lock()
	answer, known := h.answer[r.URL.Path]
	h.asked = append(h.asked, Asked{Path: r.URL.RequestURI(), Review: review})
	h.mutex.Unlock()
	if !known {
		answer = Answer{Response: map[string]any{"allowed": true}}
	}
	if answer.Hang {
		<-r.Context().Done()
		return
	}
	h.write(w, review, answer)
}

func (h *Hooks) write(w http.ResponseWriter, review map[string]any, answer Answer) {
	kind, code := answer.Type, answer.Code
	if kind == "" {
		kind = "application/json"
	}
	if code == 0 {
		code = http.StatusOK
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(code)
	if answer.Response == nil {
		_, _ = io.WriteString(w, answer.Raw)
		return
	}
	response := map[string]any{"uid": review["request"].(map[string]any)["uid"]}
	for key, value := range answer.Response {
		response[key] = value
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})
}

// certificates makes an authority and a certificate that it signed.
func certificates(authority string, names []string) (tls.Certificate, []byte, error) {
	issuer, leaf := template(authority), template("webhook")
	issuer.IsCA, issuer.BasicConstraintsValid, issuer.KeyUsage = true, true, x509.KeyUsageCertSign
	leaf.IPAddresses, leaf.DNSNames, leaf.ExtKeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, names, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	issuerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	issuerDER, err := x509.CreateCertificate(rand.Reader, issuer, issuer, &issuerKey.PublicKey, issuerKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, issuer, &leafKey.PublicKey, issuerKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuerDER}), nil
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
}
