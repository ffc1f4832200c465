package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// authentication closes the API server to callers without a name, save for the health checks.
const authentication = `apiVersion: apiserver.config.k8s.io/v1beta1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]
`

// controllers are those that grants, their backstop and the fence depend on, and those that make the
// pods of a Deployment. The others look after nodes and volumes, of which there are none, and cost
// seconds at every start.
var controllers = []string{
	"clusterrole-aggregation-controller",          // fills view, edit and admin
	"deployment-controller",                       // gives a Deployment its ReplicaSets
	"garbage-collector-controller",                // removes what a deleted Job owned
	"job-controller",                              // completes Jobs without pods
	"namespace-controller",                        // empties deleted namespaces
	"replicaset-controller",                       // gives these their pods, which run nowhere
	"resourcequota-controller",                    // a quota on Jobs is one way in which the backstop is refused
	"root-ca-certificate-publisher-controller",    // kube-root-ca.crt in every namespace, as in any cluster
	"serviceaccount-controller",                   // default in every namespace
	"serviceaccount-token-controller",             // the other controllers' own credentials
	"ttl-after-finished-controller",               // deletes Jobs on time
	"validatingadmissionpolicy-status-controller", // type checks of the fence
}

// etcdArgs skip fsync: data survives a killed process, and a machine that loses power takes the
// test with it.
func etcdArgs(dir, client, peer string) []string {
	return []string{
		"--data-dir=" + filepath.Join(dir, "etcd"),
		"--unsafe-no-fsync",
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--log-level=warn",
	}
}

// apiServerArgs also writes the file that the arguments name.
func apiServerArgs(dir string, port int, etcd string) ([]string, error) {
	authenticationFile := filepath.Join(dir, "authentication.yaml")
	if err := os.WriteFile(authenticationFile, []byte(authentication), 0o600); err != nil {
		return nil, err
	}
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--endpoint-reconciler-type=none", // a loopback address may not be an endpoint
		"--service-cluster-ip-range=10.0.0.0/24",
		"--cert-dir=" + dir,
		"--client-ca-file=" + filepath.Join(dir, "ca.crt"),
		"--tls-cert-file=" + filepath.Join(dir, "serving.crt"),
		"--tls-private-key-file=" + filepath.Join(dir, "serving.key"),
		"--authentication-config=" + authenticationFile,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + filepath.Join(dir, "sa.key"),
		"--service-account-signing-key-file=" + filepath.Join(dir, "sa.key"),
		"--shutdown-watch-termination-grace-period=1s", // else an open watch holds up Stop for a minute
		"--profiling=false",
	}, nil
}

// controllerManagerArgs give every controller its own ServiceAccount, so that rules which name one
// are tested for what they say; its request rate stays the default, which is what makes the
// backstop slow in bulk.
func controllerManagerArgs(dir, kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + filepath.Join(dir, "sa.key"),
		"--root-ca-file=" + filepath.Join(dir, "ca.crt"),
		"--controllers=" + strings.Join(controllers, ","),
		"--leader-elect=false", // it is alone, and need not wait for the Lease of one that was killed
		"--secure-port=0",
	}
}

func etcdReady(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz says %s", response.Status)
		}
		return nil
	}
}

func (cp *ControlPlane) apiServerReady(ctx context.Context) error {
	return cp.client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// controllersReady asks for what the controllers have done. Each role is part of the next, and is
// filled in its turn.
func (cp *ControlPlane) controllersReady(ctx context.Context) error {
	var smaller []rbacv1.PolicyRule
	for _, name := range []string{"view", "edit", "admin"} {
		role, err := cp.client.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(role.Rules) == 0 {
			return fmt.Errorf("ClusterRole %s is empty", name)
		}
		for _, rule := range smaller {
			if !slices.ContainsFunc(role.Rules,
				func(r rbacv1.PolicyRule) bool { return reflect.DeepEqual(r, rule) }) {
				return fmt.Errorf("ClusterRole %s is not complete", name)
			}
		}
		smaller = role.Rules
	}
	if _, err := cp.client.CoreV1().ServiceAccounts("default").Get(ctx, "default",
		metav1.GetOptions{}); err != nil {
		return errors.Join(errors.New("namespace default has no ServiceAccount"), err)
	}
	return nil
}
