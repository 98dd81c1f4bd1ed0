package commandlines

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const keyBits = 2048

// folder is a directory of keys and certificates, as installers lay it out.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) write(name string, text []byte) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// authority is somebody who signs.
type authority struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

// key makes a key under a name.
func (f folder) key(name string) *rsa.PrivateKey {
	f.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		f.t.Fatal(err)
	}
	text, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write(name+".key", text)
	return key
}

// authority makes one that signs for others.
func (f folder) authority(name string) authority {
	f.t.Helper()
	key := f.key(name)
	certificate, err := cert.NewSelfSignedCACert(cert.Config{CommonName: name}, key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write(name+".crt", pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: certificate.Raw}))
	return authority{key, certificate}
}

// signed makes a certificate that serves and is shown to servers.
func (f folder) signed(name string, by authority, subject pkix.Name) {
	f.t.Helper()
	key := f.key(name)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: subject,
		NotBefore: by.certificate.NotBefore, NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write(name+".crt", pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: raw}))
}

// pair makes a key of which the public half lies beside it.
func (f folder) pair(name string) {
	f.t.Helper()
	raw, err := x509.MarshalPKIXPublicKey(f.key(name).Public())
	if err != nil {
		f.t.Fatal(err)
	}
	f.write(name+".pub", pem.EncodeToMemory(&pem.Block{Type: keyutil.PublicKeyBlockType, Bytes: raw}))
}
