package kube

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Admin is the configuration of a client whom RBAC does not limit (group system:masters).
func (cp *ControlPlane) Admin() *rest.Config {
	return cp.User("pullgrant-test-admin", "system:masters")
}

// User is the configuration of a client who is that user in those groups, by certificate. Like all
// configurations made here it has no request limit of its own. It panics when the machine has no
// randomness to make a key.
func (cp *ControlPlane) User(name string, groups ...string) *rest.Config {
	crt, key, err := cp.authority.client(name, groups)
	if err != nil {
		panic(err)
	}
	config := cp.config()
	config.CertData, config.KeyData = crt, key
	return config
}

// ServiceAccount is the configuration of a client who is that ServiceAccount, by a token that lives
// an hour; the ServiceAccount must exist.
func (cp *ControlPlane) ServiceAccount(ctx context.Context, namespace, name string) (*rest.Config,
	error) {
	lifetime := int64(time.Hour / time.Second)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &lifetime}}
	request, err := cp.client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request,
		metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("making a token for ServiceAccount %s/%s: %w", namespace, name, err)
	}
	config := cp.config()
	config.BearerToken = request.Status.Token
	return config, nil
}

func (cp *ControlPlane) config() *rest.Config {
	return &rest.Config{Host: cp.URL, TLSClientConfig: rest.TLSClientConfig{
		CAData: cp.authority.pem},
		QPS: -1}
}

// Kubeconfig writes a kubeconfig file, readable for its owner only, that kubectl and client-go can
// use.
func (cp *ControlPlane) Kubeconfig(path string, config *rest.Config) error {
	file := clientcmdapi.NewConfig()
	file.CurrentContext = "pullgrant-test"
	file.Contexts["pullgrant-test"] = &clientcmdapi.Context{Cluster: "pullgrant-test",
		AuthInfo: "user"}
	file.Clusters["pullgrant-test"] = &clientcmdapi.Cluster{Server: config.Host,
		CertificateAuthorityData: config.CAData}
	file.AuthInfos["user"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
		Token: config.BearerToken,
	}
	if err := clientcmd.WriteToFile(*file, path); err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	return nil
}
