package kube

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestMain(m *testing.M) { Main(m) }

func clientFor(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// newNamespace makes a namespace for one run of one test and returns its name; nothing needs to
// remove it, the control plane goes as a whole.
func newNamespace(t *testing.T, cp *ControlPlane, name string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"}}
	namespace, err := cp.client.CoreV1().Namespaces().Create(t.Context(), namespace,
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

func binding(name, role, user string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
}

func mayListPods(t *testing.T, cp *ControlPlane, user, namespace string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list",
			Resource: "pods"},
	}}
	review, err := cp.client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review,
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// eventually asks until the answer is yes: the API server's authorizer and the controllers follow
// with a delay.
func eventually(t *testing.T, limit time.Duration, what string, yes func(context.Context) (bool,
	error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, limit, true,
		yes); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestBindingGivesAccess(t *testing.T) {
	cp := ForTest(t)
	namespace := newNamespace(t, cp, "access")
	if mayListPods(t, cp, "alice@example.com", namespace) {
		t.Fatal("alice may list pods before there is a binding")
	}
	_, err := cp.client.RbacV1().RoleBindings(namespace).Create(t.Context(), binding("b", "view",
		"alice@example.com"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "alice may list pods", func(context.Context) (bool, error) {
		return mayListPods(t, cp, "alice@example.com", namespace), nil
	})
	alice := clientFor(t, cp.User("alice@example.com"))
	if _, err := alice.CoreV1().Pods(namespace).List(t.Context(),
		metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := alice.CoreV1().Pods("default").List(t.Context(),
		metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("list in another namespace: %v, want forbidden", err)
	}
}

func TestServiceAccountIsNoAdmin(t *testing.T) {
	cp := ForTest(t)
	config, err := cp.ServiceAccount(t.Context(), "default", "default")
	if err != nil {
		t.Fatal(err)
	}
	client := clientFor(t, config)
	_, err = client.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(),
		`User "system:serviceaccount:default:default" cannot list`) {
		t.Errorf("%v, want forbidden for the ServiceAccount", err)
	}
	if _, err := cp.ServiceAccount(t.Context(), "default", "nobody"); !apierrors.IsNotFound(err) {
		t.Errorf("token for a ServiceAccount that is not there: %v, want not found", err)
	}
}

func TestNobodyIsAnonymous(t *testing.T) {
	cp := ForTest(t)
	client := clientFor(t, cp.config())
	if err := client.RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error(); err != nil {
		t.Errorf("health without a name: %v", err)
	}
	if err := client.RESTClient().Get().AbsPath("/version").Do(
		t.Context()).Error(); !apierrors.IsUnauthorized(err) {
		t.Errorf("version without a name: %v, want unauthorized", err)
	}
}

// The backstop of every grant: nothing but Kubernetes itself takes the binding away.
func TestJobTakesItsBindingAlong(t *testing.T) {
	cp := ForTest(t)
	namespace := newNamespace(t, cp, "backstop")
	zero, ttl := int32(0), int32(1)
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "grant"},
		Spec: batchv1.JobSpec{
			Completions: &zero, Parallelism: &zero, TTLSecondsAfterFinished: &ttl,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "none", Image: "none"}},
			}},
		},
	}
	job, err := cp.client.BatchV1().Jobs(namespace).Create(t.Context(), job, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owned := binding("grant", "view", "bob@example.com")
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job",
		Name: job.Name, UID: job.UID}}
	bindings := cp.client.RbacV1().RoleBindings(namespace)
	if _, err := bindings.Create(t.Context(), owned, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := bindings.Create(t.Context(), binding("other", "view", "carol@example.com"),
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the binding is gone", func(ctx context.Context) (bool, error) {
		_, err := bindings.Get(ctx, "grant", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if _, err := bindings.Get(t.Context(), "other", metav1.GetOptions{}); err != nil {
		t.Errorf("a binding without owner: %v", err)
	}
}

func TestKilledAPIServerKeepsData(t *testing.T) {
	cp := ForTest(t)
	namespace := newNamespace(t, cp, "survivor")
	if err := cp.APIServer.Kill(); err != nil {
		t.Fatal(err)
	}
	if cp.APIServer.Running() {
		t.Fatal("the API server runs after Kill")
	}
	if _, err := cp.client.CoreV1().Namespaces().Get(t.Context(), namespace,
		metav1.GetOptions{}); err == nil {
		t.Error("the API server answers after Kill")
	}
	if err := cp.APIServer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := cp.client.CoreV1().Namespaces().Get(t.Context(), namespace,
		metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if err := cp.APIServer.Start(t.Context()); err == nil {
		t.Error("a second Start while it runs succeeded")
	}
	afterwards := newNamespace(t, cp, "afterwards")
	eventually(t, time.Minute, "the controllers work again", func(ctx context.Context) (bool,
		error) {
		_, err := cp.client.CoreV1().ServiceAccounts(afterwards).Get(ctx, "default",
			metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

func TestKubectl(t *testing.T) {
	cp := ForTest(t)
	namespace := newNamespace(t, cp, "kubectl")
	if _, err := cp.client.RbacV1().RoleBindings(namespace).Create(t.Context(), binding("b", "view",
		"dave@example.com"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := cp.ServiceAccount(t.Context(), "default", "default")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config *rest.Config
		want   string
	}{
		"certificate": {cp.User("dave@example.com"), "yes"},
		"token":       {token, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kubeconfig")
			if err := cp.Kubeconfig(path, test.config); err != nil {
				t.Fatal(err)
			}
			var last string
			eventually(t, 30*time.Second, "kubectl auth can-i says "+test.want,
				func(ctx context.Context) (bool, error) {
					out, _ := exec.CommandContext(ctx, cp.Kubectl, "--kubeconfig", path, "auth",
						"can-i", "list", "pods", "-n", namespace).CombinedOutput()
					last = strings.TrimSpace(string(out))
					return last == test.want, nil
				})
			t.Log(last)
		})
	}
}
