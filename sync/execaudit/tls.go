package execaudit

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// TLS is how the receiver speaks: with the certificate of two PEM files, which are read again for
// each connection, so that a new one needs no restart, and with those clients only whose certificate
// an authority of clientCA signed. Empty, clients need none, and must bear a token.
func TLS(certFile, keyFile string, clientCA []byte) (*tls.Config, error) {
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("read the audit webhook's certificate: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13,
		NextProtos:     []string{"http/1.1"}, // one call at a time on each connection
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() }}
	if len(clientCA) > 0 {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(clientCA) {
			return nil, fmt.Errorf("read the authority of the audit webhook's clients: it holds no " +
				"certificate; give PEM")
		}
	}
	return config, nil
}
