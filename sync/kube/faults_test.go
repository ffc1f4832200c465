package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/grants"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

var errOnPurpose = errors.New("broken on purpose")

// world is a namespace in which every call has something to find.
type world struct {
	admin   *kubernetes.Clientset
	config  *rest.Config
	cluster *Cluster
	grant   requests.Grant
	record  plan.Record // that is there
	job     *batchv1.Job
	binding *rbacv1.RoleBinding
	wanted  []render.Object
}

// asks is every question and every order, each with the whole answer, or what came of it, as text.
var asks = map[string]func(context.Context, *world) (string, error){
	"Observe": func(ctx context.Context, w *world) (string, error) {
		seen, unreadable, err := w.cluster.Observe(ctx)
		return fmt.Sprint(seen.Live, len(seen.Records), seen.Namespaces, unreadable), err
	},
	"List": func(ctx context.Context, w *world) (string, error) {
		all, err := w.cluster.List(ctx)
		return fmt.Sprint(len(all)), err
	},
	"MadeMeanwhile": func(ctx context.Context, w *world) (string, error) {
		r := w.record
		r.EndedAt = requests.At(time.Now().Add(time.Hour))
		all, err := w.cluster.MadeMeanwhile(ctx, r)
		return fmt.Sprint(len(all)), err
	},
	"LiveFootprint": func(ctx context.Context, w *world) (string, error) {
		all, err := LiveFootprint(ctx, w.config, w.wanted)
		return fmt.Sprint(len(all)), err
	},
	"Fence": func(ctx context.Context, w *world) (string, error) {
		stops, err := w.cluster.Fence(ctx)
		return fmt.Sprint(stops), err
	},
	"Surplus": func(ctx context.Context, w *world) (string, error) {
		excess, stale, err := w.cluster.Surplus(ctx, w.grant.Items, nil)
		return Told(excess) + Told(stale), err
	},
	"Offered": func(ctx context.Context, w *world) (string, error) {
		items, err := Offered(ctx, w.config, "prod-eu")
		return fmt.Sprint(len(items)), err
	},
	"RoleDigests": func(ctx context.Context, w *world) (string, error) {
		all, err := w.cluster.RoleDigests(ctx, w.grant)
		return fmt.Sprint(all), err
	},
	"LiveRoles": func(ctx context.Context, w *world) (string, error) {
		found, missing, err := LiveRoles(ctx, w.config, "prod-eu",
			[]string{"payments-debug", "nowhere"})
		return fmt.Sprint(len(found), missing), err
	},
	"Authorized": func(ctx context.Context, w *world) (string, error) {
		yes, err := w.cluster.Authorized(ctx, policies.AccessReview{User: "root@example.com",
			Groups: []string{"system:masters"}, Verb: policies.DefaultVerb, Role: "payments-debug"})
		return fmt.Sprint(yes), err
	},
	"Leader": func(ctx context.Context, w *world) (string, error) {
		return w.cluster.Leader(ctx, time.Now())
	},
	"Notes": func(ctx context.Context, w *world) (string, error) {
		notes, err := w.cluster.Notes(ctx)
		return notes[AnnotationHead], err
	},
	"Note": func(ctx context.Context, w *world) (string, error) {
		err := w.cluster.Note(ctx, "pullgrant.dev/test", fmt.Sprint(time.Now().UnixNano()))
		return "", err
	},
	"Note at first": func(ctx context.Context, w *world) (string, error) {
		leases := w.admin.CoordinationV1().Leases(Namespace)
		was, err := leases.Get(context.Background(), LeaseName, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		if err := leases.Delete(context.Background(), LeaseName,
			metav1.DeleteOptions{}); err != nil {
			return "", err
		}
		err = w.cluster.Note(ctx, "pullgrant.dev/test", "first")
		now, missing := leases.Get(context.Background(), LeaseName, metav1.GetOptions{})
		if missing == nil {
			_ = leases.Delete(context.Background(), LeaseName, metav1.DeleteOptions{})
		}
		was.ResourceVersion = ""
		if _, again := leases.Create(context.Background(), was,
			metav1.CreateOptions{}); again != nil {
			return "", again
		}
		return fmt.Sprint(now.GetAnnotations()), err
	},
	"Pause and Resume": func(ctx context.Context, w *world) (string, error) {
		if err := Pause(ctx, w.config, "to see"); err != nil {
			return "", err
		}
		paused, reason, err := Resume(ctx, w.config)
		lease, _ := w.admin.CoordinationV1().Leases(Namespace).Get(context.Background(), LeaseName,
			metav1.GetOptions{})
		return fmt.Sprint(paused, reason, lease.Annotations[AnnotationPaused]), err
	},
	"trust": func(ctx context.Context, w *world) (string, error) {
		t, err := w.cluster.ReadTrust(ctx)
		if err != nil {
			return "", err
		}
		t.Head = "head"
		version, err := w.cluster.WriteTrust(ctx, t)
		return fmt.Sprint(version != "" && t.Version != ""), err
	},
	"trust at first": func(ctx context.Context, w *world) (string, error) {
		maps := w.admin.CoreV1().ConfigMaps(Namespace)
		_ = maps.Delete(context.Background(), TrustName, metav1.DeleteOptions{})
		version, err := w.cluster.WriteTrust(ctx, Trust{Root: "root"})
		if err != nil {
			_, _ = w.cluster.WriteTrust(context.Background(), Trust{Root: "root"})
		}
		return fmt.Sprint(version != ""), err
	},
	"Save": func(ctx context.Context, w *world) (string, error) {
		r := w.record
		err := w.cluster.Save(ctx, &r)
		w.record.Version = r.Version
		return fmt.Sprint(r.Version != ""), err
	},
	"Save and Forget": func(ctx context.Context, w *world) (string, error) {
		r := w.record
		r.Grant.Name, r.Version = grants.Name("other"), ""
		r.Grant.Path = grants.Path("other")
		if err := w.cluster.Save(ctx, &r); err != nil || r.Version == "" {
			return "no version", err
		}
		err := w.cluster.Forget(ctx, r)
		_, left := w.admin.CoreV1().ConfigMaps(Namespace).Get(context.Background(),
			requests.ObjectName(r.Grant.Name, 0), metav1.GetOptions{})
		return fmt.Sprint(apierrors.IsNotFound(left)), err
	},
	"Create and Delete": func(ctx context.Context, w *world) (string, error) {
		return w.made(ctx, w.binding, func() (string, error) {
			return w.cluster.Create(ctx, w.binding.DeepCopy())
		})
	},
	"Create again": func(ctx context.Context, w *world) (string, error) {
		if _, err := w.admin.RbacV1().RoleBindings(w.binding.Namespace).Create(
			context.Background(), w.binding.DeepCopy(), metav1.CreateOptions{}); err != nil {
			return "", err
		}
		return w.made(ctx, w.binding, func() (string, error) {
			return w.cluster.Create(ctx, w.binding.DeepCopy())
		})
	},
	"Create a Job": func(ctx context.Context, w *world) (string, error) {
		return w.made(ctx, w.job, func() (string, error) {
			return w.cluster.Create(ctx, w.job.DeepCopy())
		})
	},
	"Delete what was replaced": func(ctx context.Context, w *world) (string, error) {
		if _, err := w.admin.RbacV1().RoleBindings(w.binding.Namespace).Create(
			context.Background(), w.binding.DeepCopy(), metav1.CreateOptions{}); err != nil {
			return "", err
		}
		l, _ := w.cluster.Live(w.binding)
		l.UID = "another"
		deleted, err := w.cluster.Delete(ctx, l)
		w.gone()
		return fmt.Sprint(deleted), err
	},
	"Finished": func(ctx context.Context, w *world) (string, error) {
		defer w.gone()
		job, err := w.admin.BatchV1().Jobs(w.job.Namespace).Create(context.Background(),
			w.job.DeepCopy(), metav1.CreateOptions{})
		if err != nil {
			return "", err
		}
		waiting, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		late, err := w.cluster.Finished(waiting, plan.Object{Namespace: job.Namespace,
			Name: job.Name, UID: string(job.UID)})
		if ctx.Err() != nil && err != nil && strings.Contains(err.Error(), "is not complete yet") {
			err = ctx.Err()
		}
		return fmt.Sprint(late.Abs() < time.Minute), err
	},
	"Try a Job": func(ctx context.Context, w *world) (string, error) {
		return "", w.cluster.Try(ctx, w.job.DeepCopy())
	},
	"Try a binding": func(ctx context.Context, w *world) (string, error) {
		return "", w.cluster.Try(ctx, w.binding.DeepCopy())
	},
}

// made creates an object, looks at it and deletes it.
func (w *world) made(ctx context.Context, o render.Object, create func() (string, error)) (string,
	error) {
	defer w.gone()
	uid, err := create()
	if err != nil {
		return "", err
	}
	l := plan.Live{Kind: render.KindRoleBinding, Namespace: o.GetNamespace(), Name: o.GetName(),
		UID: uid}
	if _, is := o.(*batchv1.Job); is {
		l.Kind = render.KindJob
	}
	deleted, err := w.cluster.Delete(ctx, l)
	return fmt.Sprint(uid != "", deleted), err
}

// gone takes away what a try may have left.
func (w *world) gone() {
	background := metav1.DeletePropagationBackground
	_ = w.admin.RbacV1().RoleBindings(w.binding.Namespace).Delete(context.Background(),
		w.binding.Name, metav1.DeleteOptions{})
	_ = w.admin.BatchV1().Jobs(w.job.Namespace).Delete(context.Background(), w.job.Name,
		metav1.DeleteOptions{PropagationPolicy: &background})
	_ = w.admin.CoreV1().ConfigMaps(Namespace).Delete(context.Background(),
		requests.ObjectName(grants.Name("other"), 0), metav1.DeleteOptions{})
}

// newWorld has a record, a Lease and what proofs rest on, and a binding and a Job to be made.
func newWorld(t *testing.T) *world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	cp := controlplane.ForTest(t)
	w := &world{config: cp.Admin(), grant: grants.Of("faults", 1, 1)}
	const namespace = "faults"
	w.grant.Items[0].Namespace = namespace
	var err error
	w.admin, err = kubernetes.NewForConfig(w.config)
	must(err)
	_, err = w.admin.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	must(err)
	must(cp.Apply(t.Context(), controlplane.AgentManifests([]string{namespace},
		[]string{"payments-debug"})))
	w.cluster, err = NewCluster(w.config, grants.Cluster, CallTimeout, nil)
	must(err)
	bindings, err := render.Render(w.grant)
	must(err)
	w.binding = bindings[0].(*rbacv1.RoleBinding)
	job, err := render.Backstop(w.grant, namespace, w.grant.Window.Start.Time)
	must(err)
	w.job = &job
	w.record = plan.Record{Phase: plan.Granting, Grant: w.grant,
		Objects: plan.ObjectsOf(w.grant, true)}
	must(w.cluster.Save(t.Context(), &w.record))
	must(w.cluster.Note(t.Context(), AnnotationHead, "head"))
	_, err = w.cluster.WriteTrust(t.Context(), Trust{Root: "root"})
	must(err)
	w.wanted = []render.Object{&rbacv1.RoleBinding{
		TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1",
			Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "pullgrant:agent"}}}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		w.gone()
		_ = w.admin.CoreV1().ConfigMaps(Namespace).Delete(ctx,
			requests.ObjectName(w.grant.Name, 0), metav1.DeleteOptions{})
		_ = w.admin.CoreV1().ConfigMaps(Namespace).Delete(ctx, TrustName, metav1.DeleteOptions{})
		_ = w.admin.CoordinationV1().Leases(Namespace).Delete(ctx, LeaseName,
			metav1.DeleteOptions{})
	})
	return w
}

// TestFaults: whichever call does not work, of each question and each order, the answer is as if
// nothing were amiss, or it is an error that says what is; and so it is when the time is over.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	for _, name := range slices.Sorted(maps.Keys(asks)) {
		t.Run(name, func(t *testing.T) {
			calls := 0
			try := func(broken int) (string, error) {
				calls = 0
				at := *w
				at.config = rest.CopyConfig(w.config)
				at.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(r *http.Request) (*http.Response, error) {
						if calls++; calls == broken {
							return nil, errOnPurpose
						}
						return next.RoundTrip(r)
					})
				})
				var err error
				if at.cluster, err = NewCluster(at.config, w.cluster.Name, CallTimeout,
					nil); err != nil {
					t.Fatal(err)
				}
				answer, err := asks[name](t.Context(), &at)
				if at.record.Version != "" {
					w.record.Version = at.record.Version
				}
				return answer, err
			}
			right, err := try(0)
			if err != nil {
				t.Fatal(err)
			}
			for broken := range calls {
				answer, err := try(broken + 1)
				switch {
				case err == nil && answer != right:
					t.Errorf("call %d failed, and the answer is %q, not %q", broken+1,
						answer, right)
				case err == nil && calls > broken: // it came to that call
					t.Errorf("call %d failed, and nothing says so", broken+1)
				case err != nil && !errors.Is(err, errOnPurpose) && !apierrors.IsAlreadyExists(err):
					t.Errorf("call %d failed: %v", broken+1, err)
				}
			}
			over, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := asks[name](over, w); !errors.Is(err, context.Canceled) {
				t.Errorf("the time is over: %v", err)
			}
			w.gone()
		})
	}
}
