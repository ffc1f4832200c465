package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"

	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/sync/execaudit"
)

// execAuditOptions say where the agent takes what the API server's audit webhook tells, and from whom.
type execAuditOptions struct {
	listen, cert, key, clientCA, token string
}

// minToken is in bytes: a token shorter than that can be guessed.
const minToken = 32

func (o *execAuditOptions) flags(flags *pflag.FlagSet) {
	flags.StringVar(&o.listen, "audit-listen", "", "address for the API server's audit webhook, such "+
		"as :8443 (default: none)")
	flags.StringVar(&o.cert, "audit-cert-file", "", "certificate of that address, PEM")
	flags.StringVar(&o.key, "audit-key-file", "", "private key of the certificate, PEM")
	flags.StringVar(&o.clientCA, "audit-client-ca-file", "", "authority that signed the certificate of "+
		"whoever may call it, and nobody else's, PEM")
	flags.StringVar(&o.token, "audit-token-file", "", "token that whoever calls it must bear, at least "+
		"32 bytes")
}

// problem tells what is wrong with the options; empty when nothing is.
func (o execAuditOptions) problem() string {
	switch {
	case o == execAuditOptions{}:
		return ""
	case o.listen == "":
		return "--audit-cert-file, --audit-key-file, --audit-client-ca-file and --audit-token-file are " +
			"of no use without --audit-listen"
	case addressProblem("audit-listen", o.listen) != "":
		return addressProblem("audit-listen", o.listen)
	case o.cert == "" || o.key == "":
		return "--audit-listen needs --audit-cert-file and --audit-key-file: it is served over TLS only"
	case o.clientCA == "" && o.token == "":
		return "--audit-listen needs --audit-client-ca-file, --audit-token-file or both: else anybody " +
			"could end grants that are for a single use"
	}
	return ""
}

// open listens, and returns the token that is to be asked for.
func (o execAuditOptions) open(ctx context.Context) (listener net.Listener, token []byte, err error) {
	var authority []byte
	if o.clientCA != "" {
		if authority, err = os.ReadFile(o.clientCA); err == nil && len(bytes.TrimSpace(authority)) == 0 {
			err = fmt.Errorf("%s is empty", o.clientCA)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the authority of the audit webhook's clients: %w", err)
		}
	}
	if o.token != "" {
		if token, err = os.ReadFile(o.token); err != nil {
			return nil, nil, fmt.Errorf("read the audit webhook's token: %w", err)
		}
		if token = bytes.TrimSpace(token); len(token) < minToken {
			return nil, nil, fmt.Errorf("read the audit webhook's token: %s has less than %d bytes, so "+
				"it could be guessed; use a long random one", o.token, minToken)
		}
	}
	config, err := execaudit.TLS(o.cert, o.key, authority)
	if err != nil {
		return nil, nil, err
	}
	plain, err := listenOn(ctx, "audit-listen", o.listen)
	if err != nil {
		return nil, nil, err
	}
	return tls.NewListener(plain, config), token, nil
}
