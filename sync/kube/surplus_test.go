package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
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
		if may, err = c.may(t.Context(), namespace, "create", "batch", "jobs", ""); may ||
			err != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil || !may {
		t.Errorf("jobs: %t, %v", may, err)
	}
	may, err = c.may(t.Context(), namespace, "create", "", "serviceaccounts/token", "")
	if err != nil || may {
		t.Errorf("tokens: %t, %v", may, err)
	}
}

// unlisted is the wire to an API server whose authorizer cannot list rights, and is not RBAC where
// there are no bindings.
type unlisted struct {
	http.RoundTripper
	unbound bool
}

func (u unlisted) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := u.RoundTripper.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	instead := ""
	switch path.Base(r.URL.Path) {
	case "selfsubjectrulesreviews":
		instead = `{"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1",
			"status": {"incomplete": true}}`
	case "rolebindings", "clusterrolebindings":
		if u.unbound {
			instead = `{"kind": "List", "apiVersion": "v1", "items": []}`
		}
	}
	if instead != "" {
		answer.Body.Close()
		answer.Header.Set("Content-Type", "application/json")
		answer.Body = io.NopCloser(strings.NewReader(instead))
		answer.ContentLength = -1
	}
	return answer, nil
}

// tooMuch is what the agent may do though no policy gives anything.
func (c *Cluster) tooMuch(ctx context.Context) (string, error) {
	excess, _, err := c.Surplus(ctx, nil, nil)
	excess = slices.DeleteFunc(excess, func(s Surplus) bool {
		return s.Namespace != "" && s.Namespace != Namespace
	})
	return Told(excess), err
}

// TestAskedByName: rights that cannot be listed, on single objects too, are found in the roles that
// are bound, and those of what is not RBAC are asked for.
func TestAskedByName(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	cp := controlplane.ForTest(t)
	admin, err := kubernetes.NewForConfig(cp.Admin())
	must(err)
	must(cp.Apply(t.Context(), controlplane.AgentManifests([]string{"default"},
		[]string{"payments-debug"})))
	meta := metav1.ObjectMeta{Name: "one-secret", Namespace: Namespace}
	_, err = admin.RbacV1().Roles(Namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta,
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"},
			Verbs: []string{"get"}, ResourceNames: []string{"pullgrant-agent"}}}},
		metav1.CreateOptions{})
	must(err)
	config, err := cp.ServiceAccount(t.Context(), Namespace, "pullgrant-agent")
	must(err)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return unlisted{next, false} })
	c, err := NewCluster(config, "prod-eu", CallTimeout, nil)
	must(err)
	excess, err := c.tooMuch(t.Context())
	if err != nil || excess != "" {
		t.Errorf("before: %q, %v", excess, err)
	}
	_, err = admin.RbacV1().RoleBindings(Namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role",
			Name: meta.Name}, Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind,
			Namespace: Namespace, Name: "pullgrant-agent"}}}, metav1.CreateOptions{})
	must(err)
	for range 100 { // until the right is in force
		if excess, err = c.tooMuch(t.Context()); excess != "" || err != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil || excess != "get secrets named \"pullgrant-agent\" in namespace "+Namespace+
		" (by RoleBinding "+Namespace+"/one-secret of Role one-secret)" {
		t.Errorf("after: %q, %v", excess, err)
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return unlisted{next, true} })
	c, err = NewCluster(config, "prod-eu", CallTimeout, nil)
	must(err)
	excess, err = c.tooMuch(t.Context())
	if err != nil || excess != "get secrets named \"pullgrant-agent\" in namespace "+Namespace+
		" (by an authorizer that is not RBAC)" {
		t.Errorf("by another authorizer: %q, %v", excess, err)
	}
}

// TestMuchInOneNamespace: whoever administers a namespace gives the agent as many rights there as they
// like, in as many bindings; what it takes to find that does not grow with it, and it is of that
// namespace alone.
func TestMuchInOneNamespace(t *testing.T) {
	s := scene.New(t)
	var calls atomic.Int32
	config := rest.CopyConfig(s.Agent)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			return next.RoundTrip(r)
		})
	})
	c, err := NewCluster(config, s.Cluster, CallTimeout, nil)
	s.Must(err)
	give := func(name string, objects int) {
		t.Helper()
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}}}}
		for n := range objects {
			role.Rules[0].ResourceNames = append(role.Rules[0].ResourceNames, fmt.Sprintf("%s-%d", name, n))
		}
		_, err := s.Admin.RbacV1().Roles(s.Namespace).Create(t.Context(), role, metav1.CreateOptions{})
		s.Must(err)
		_, err = s.Admin.RbacV1().RoleBindings(s.Namespace).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: Namespace, Name: render.Agent}},
		}, metav1.CreateOptions{})
		s.Must(err)
	}
	here := requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: s.Namespace,
		Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}
	finds := func(want string) {
		t.Helper()
		before := calls.Load()
		excess, _, err := c.Surplus(t.Context(), []requests.Item{here}, []requests.Item{here})
		s.Must(err)
		if slices.ContainsFunc(excess, func(x Surplus) bool { return x.Namespace == "" }) {
			t.Errorf("it is of all namespaces: %s", Told(excess))
		}
		excess = slices.DeleteFunc(excess, func(x Surplus) bool { return x.Namespace != s.Namespace })
		if told := Told(excess); len(excess) != 1 || !strings.Contains(told, want) {
			t.Errorf("it is %s, want %s", told, want)
		}
		if n := calls.Load() - before; n > maxBound { // those of other tests are among them
			t.Errorf("%d calls were made", n)
		}
	}
	give("large", maxRights+1)
	finds("everything every resource in namespace " + s.Namespace)
	for n := range maxBound {
		give(fmt.Sprintf("many-%d", n), 1)
	}
	finds(fmt.Sprintf("(by %d RoleBindings in %s of roles that nobody looks into)", maxBound+2, s.Namespace))
}
