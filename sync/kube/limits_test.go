package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

func TestMain(m *testing.M) { controlplane.Main(m) }

// TestAskedOneByOne: an authorizer that cannot list rights, as webhooks cannot, is asked for each.
func TestAskedOneByOne(t *testing.T) {
	const namespace = "asked"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	cp := controlplane.ForTest(t)
	admin, err := kubernetes.NewForConfig(cp.Admin())
	must(err)
	_, err = admin.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	must(err)
	must(cp.Apply(t.Context(), controlplane.AgentManifests([]string{namespace},
		[]string{"payments-debug"})))
	config, err := cp.ServiceAccount(t.Context(), Namespace, "pullgrant-agent")
	must(err)
	c, err := NewCluster(config, "prod-eu", CallTimeout, nil)
	must(err)
	may, err := false, error(nil)
	for range 100 { // until the rights are in force
		if may, err = c.may(t.Context(), namespace, "create", "batch", "jobs"); may || err != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil || !may {
		t.Errorf("jobs: %t, %v", may, err)
	}
	may, err = c.may(t.Context(), namespace, "create", "", "serviceaccounts/token")
	if err != nil || may {
		t.Errorf("tokens: %t, %v", may, err)
	}
}
