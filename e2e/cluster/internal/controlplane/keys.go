package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// keys is the cluster's certificate authority and the files made with it.
type keys struct {
	dir                  string
	authority            *x509.Certificate
	authorityKey         crypto.Signer
	authorityFile        string
	authorityKeyFile     string
	servingFile          string
	servingKeyFile       string
	serviceAccountsFile  string
	nextCertificateIndex int64
}

func newKeys(dataDir string) (*keys, error) {
	k := &keys{dir: filepath.Join(dataDir, "keys")}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	k.authorityFile, k.authorityKeyFile = k.path("ca.crt"), k.path("ca.key")
	k.servingFile, k.servingKeyFile = k.path("apiserver.crt"), k.path("apiserver.key")
	k.serviceAccountsFile = k.path("service-accounts.key")

	authorityKey, authorityKeyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	k.authorityKey = authorityKey
	k.authority, err = cert.NewSelfSignedCACert(cert.Config{CommonName: "e2e-cluster"}, authorityKey)
	if err != nil {
		return nil, err
	}
	authorityPEM, err := cert.EncodeCertificates(k.authority)
	if err != nil {
		return nil, err
	}
	servingPEM, servingKeyPEM, err := k.issue(serving())
	if err != nil {
		return nil, err
	}
	_, serviceAccountsPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	for file, content := range map[string][]byte{
		k.authorityFile: authorityPEM, k.authorityKeyFile: authorityKeyPEM,
		k.servingFile: servingPEM, k.servingKeyFile: servingKeyPEM,
		k.serviceAccountsFile: serviceAccountsPEM,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *keys) path(name string) string { return filepath.Join(k.dir, name) }

func serving() x509.Certificate {
	return x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(kubernetesServiceAddress)},
	}
}

func client(user string, groups []string) x509.Certificate {
	return x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// issue completes the template, signs it and returns certificate and key as PEM.
func (k *keys) issue(template x509.Certificate) (certificate, key []byte, err error) {
	signer, key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	k.nextCertificateIndex++
	template.SerialNumber = big.NewInt(k.nextCertificateIndex)
	template.NotBefore = k.authority.NotBefore
	template.NotAfter = time.Now().AddDate(1, 0, 0)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, &template, k.authority, signer.Public(), k.authorityKey)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	certificate, err = cert.EncodeCertificates(parsed)
	return certificate, key, err
}

func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	pem, err := keyutil.MarshalPrivateKeyToPEM(key)
	return key, pem, err
}
