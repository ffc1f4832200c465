package sync

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/kube"
)

// everyKind is a policy by which one request gets something of every kind, each by itself of use.
var everyKind = txtar.Parse([]byte(`
-- target --
mode: Impersonate
grants:
  - kind: KubernetesRoleBinding
    defaultNamespace: NAMESPACE
    allowedNamespaces: [NAMESPACE]
    roleRef: {kind: ClusterRole, name: payments-debug}
  - kind: KubernetesResourceRole
    defaultNamespace: NAMESPACE
    allowedNamespaces: [NAMESPACE]
    roleRef: {kind: ClusterRole, name: view}
    resources: [{resource: configmaps, names: ["*"]}]
  - kind: KubernetesClusterRoleBinding
    roleRef: {kind: ClusterRole, name: node-reader}
  - kind: KubernetesExec
    defaultNamespace: NAMESPACE
    allowedNamespaces: [NAMESPACE]
    pods: [api-1]
    containers: [app]
    commands: [[date]]
-- role/node-reader --
- {apiGroups: [""], resources: [nodes], verbs: [list]}
-- objects --
apiVersion: v1
kind: Pod
metadata: {name: api-1, namespace: NAMESPACE}
spec: {containers: [{name: app, image: app}]}
-- request --
resources: [configmaps/kube-root-ca.crt]
exec: {pod: api-1, container: app, command: [date]}
-- calls --
as GET /api/v1/namespaces/NAMESPACE/pods 200
as GET /api/v1/namespaces/NAMESPACE/configmaps/kube-root-ca.crt 200
as GET /api/v1/nodes 200
as POST /api/v1/namespaces/NAMESPACE/pods/api-1/exec?container=app&stdout=true&command=date 400
`))

// madeOfEveryKind are the objects of such a grant but for its Jobs.
const madeOfEveryKind = 8

// pushed puts the request on main, as far as git knows by alice and now.
func (g *given) pushed(slug string) (name string) {
	g.Helper()
	name, path, content := g.requestFile(slug)
	g.pushFiles("alice", "Ask", map[string]string{path: content + g.section("request")})
	return name
}

func everyKindGiven(t *testing.T) *given {
	t.Helper()
	g := newGiven(t, everyKind)
	g.sections["request"] = "  resources: [configmaps/kube-root-ca.crt]\n" +
		"  exec: {pod: api-1, container: app, command: [date]}\n"
	return g
}

// TestEveryKindKilledAnywhere ends the agent before every single call that changes something, while
// it grants something of every kind and while it ends that.
func TestEveryKindKilledAnywhere(t *testing.T) {
	g := everyKindGiven(t)
	for call := int32(1); ; call++ {
		begin := g.Clock()
		name := g.pushed(fmt.Sprintf("kill-%d", call))
		granting, ending := newCut(call, true, true), newCut(call, true, true)
		_ = g.agent(options{wire: granting.wrap}).Once(t.Context())
		g.once(options{})
		g.called(name, false)
		g.SetClock(begin.Add(time.Hour))
		_ = g.agent(options{wire: ending.wrap}).Once(t.Context())
		g.once(options{})
		g.called(name, true)
		r := g.leftNothing(name, requests.CauseExpired)
		if len(r.Status.GrantRefs) != madeOfEveryKind+2 || t.Failed() {
			t.Fatalf("call %d: the entry tells of %d objects", call, len(r.Status.GrantRefs))
		}
		if !granting.struck() && !ending.struck() {
			if call < madeOfEveryKind {
				t.Errorf("a pass made only %d calls", call-1)
			}
			break
		}
	}
}

// TestEveryKindEndsWithoutAnAgent: the right to act as the grant's identity goes with its Job, and
// whatever that identity was given is of no use to anybody. What no Job can own is left for the
// next agent.
func TestEveryKindEndsWithoutAnAgent(t *testing.T) {
	g := everyKindGiven(t)
	begin := g.Clock()
	name := g.pushed(strings.Repeat("dead-", 12) + "x") // so long that names of objects are cut
	g.SetClock(begin.Add(time.Hour - 3*time.Second))    // so that the test takes seconds
	g.once(options{})
	g.called(name, false)
	g.Until("access is over", func() bool {
		status, _ := g.call(name, true, http.MethodGet, "/api/v1/nodes")
		return status == http.StatusForbidden
	})
	g.called(name, true)
	if wide, err := g.Admin.RbacV1().ClusterRoleBindings().List(t.Context(), metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/managed-by=pullgrant"}); err != nil ||
		len(wide.Items) != 1 {
		t.Errorf("%v, %v", wide, err)
	}
	g.SetClock(begin.Add(time.Hour))
	g.once(options{})
	g.leftNothing(name, requests.CauseExpired)
}

// TestExpirerEndsEveryKind: with the agent gone and the little that the expirer may do.
func TestExpirerEndsEveryKind(t *testing.T) {
	g := everyKindGiven(t)
	begin := g.Clock()
	name := g.pushed("left-to-the-expirer")
	g.once(options{})
	g.called(name, false)
	g.expirer(0)
	g.SetClock(begin.Add(time.Hour - time.Second))
	g.called(name, false)
	g.SetClock(begin.Add(time.Hour))
	g.called(name, true)
	g.once(options{})
	g.leftNothing(name, requests.CauseExpired)
}

// TestEveryKindDeleted takes each object of a grant away, as any administrator may: all of the
// access ends with it.
func TestEveryKindDeleted(t *testing.T) {
	g := everyKindGiven(t)
	background := metav1.DeletePropagationBackground
	gone := metav1.DeleteOptions{PropagationPolicy: &background}
	api, ns, home := g.Admin.RbacV1(), g.Namespace, requests.GrantsNamespace
	for what, take := range map[string]func(name string) error{
		"binding": func(n string) error {
			return api.RoleBindings(ns).Delete(t.Context(),
				n, gone)
		},
		"named-role": func(n string) error {
			return api.Roles(ns).Delete(t.Context(),
				n+".2", gone)
		},
		"named-binding": func(n string) error {
			return api.RoleBindings(ns).Delete(t.Context(),
				n+".2", gone)
		},
		"wide": func(n string) error {
			return api.ClusterRoleBindings().Delete(t.Context(),
				n+".3", gone)
		},
		"command": func(n string) error {
			return api.Roles(ns).Delete(t.Context(),
				n+".4", gone)
		},
		"command-binding": func(n string) error {
			return api.RoleBindings(ns).Delete(t.Context(),
				n+".4", gone)
		},
		"identity": func(n string) error {
			return api.Roles(home).Delete(t.Context(),
				n, gone)
		},
		"right": func(n string) error {
			return api.RoleBindings(home).Delete(t.Context(),
				n, gone)
		},
		"job": func(n string) error {
			return g.Admin.BatchV1().Jobs(home).Delete(t.Context(), n, gone)
		},
	} {
		name := g.pushed(what)
		g.once(options{})
		g.called(name, false)
		g.Must(take(requests.ObjectName(name, 0)))
		g.once(options{})
		g.called(name, true)
		g.leftNothing(name, requests.CauseBindingDeleted)
	}
}

// TestEveryKindEdited changes what somebody may do by a grant, as an administrator may while the fence
// is down: all of the access ends with it.
func TestEveryKindEdited(t *testing.T) {
	g := everyKindGiven(t)
	api, ns, home := g.Admin.RbacV1(), g.Namespace, requests.GrantsNamespace
	merge := metav1.PatchOptions{FieldManager: "mallory"}
	wider := []byte(`{"rules":[{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}]}`)
	others := []byte(`{"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User",
		"name":"mallory@example.com"}]}`)
	for what, edit := range map[string]func(name string) error{
		"binding": func(n string) error {
			_, err := api.RoleBindings(ns).Patch(t.Context(), n, types.MergePatchType, others, merge)
			return err
		},
		"role": func(n string) error {
			_, err := api.Roles(ns).Patch(t.Context(), n+".2", types.MergePatchType, wider, merge)
			return err
		},
		"wide": func(n string) error {
			_, err := api.ClusterRoleBindings().Patch(t.Context(), n+".3", types.MergePatchType,
				others, merge)
			return err
		},
		"command": func(n string) error {
			_, err := api.Roles(ns).Patch(t.Context(), n+".4", types.MergePatchType, wider, merge)
			return err
		},
		"identity": func(n string) error {
			_, err := api.Roles(home).Patch(t.Context(), n, types.MergePatchType, wider, merge)
			return err
		},
	} {
		name := g.pushed("edited-" + what)
		g.once(options{})
		g.called(name, false)
		g.Must(g.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(
			t.Context(), render.FenceManaged, metav1.DeleteOptions{}))
		g.Until("nothing refuses the edit of "+what, func() bool {
			return edit(requests.ObjectName(name, 0)) == nil
		})
		cp := kube.ForTest(t)
		g.Must(cp.Apply(t.Context(), render.YAML(render.Fence())))
		g.Must(cp.AwaitFence(t.Context()))
		g.once(options{})
		g.called(name, true)
		g.leftNothing(name, requests.CauseRevoked)
	}
}

// dateCommand is what a request asks for under it.
const dateCommand = "  exec: {pod: api-1, container: app, command: [date]}\n"

// strictCommand is a policy by which one command may run where grants for commands count.
var strictCommand = txtar.Parse([]byte(`
-- target --
grants:
  - kind: KubernetesExec
    defaultNamespace: NAMESPACE
    allowedNamespaces: [NAMESPACE]
    pods: [api-1]
    containers: [app]
    commands: [[date]]
-- objects --
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE, labels: {pullgrant.dev/exec: strict}}
---
apiVersion: v1
kind: Pod
metadata: {name: api-1, namespace: NAMESPACE}
spec: {containers: [{name: app, image: app}]}
-- calls --
POST /api/v1/namespaces/NAMESPACE/pods/api-1/exec?container=app&stdout=true&command=date 400
`))

// TestCommandsUnguarded: where the policy that asks which command is missing or another, or the
// namespace is not strict any more, access to run one ends, and none is given.
func TestCommandsUnguarded(t *testing.T) {
	g := newGiven(t, strictCommand)
	g.sections["request"] = dateCommand
	label := func(value string) {
		_, err := g.Admin.CoreV1().Namespaces().Patch(t.Context(), g.Namespace,
			types.MergePatchType,
			[]byte(`{"metadata": {"labels": {"pullgrant.dev/exec": `+value+`}}}`),
			metav1.PatchOptions{})
		g.Must(err)
	}
	policies := g.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	bindings := g.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	for what, weaken := range map[string]func() error{
		"label": func() error { label("null"); return nil },
		"policy": func() error {
			_, err := policies.Patch(t.Context(), "pullgrant-exec", types.JSONPatchType,
				[]byte(`[{"op": "replace", "path": "/spec/failurePolicy", "value": "Ignore"}]`),
				metav1.PatchOptions{})
			return err
		},
		"binding": func() error {
			return bindings.Delete(t.Context(), "pullgrant-exec", metav1.DeleteOptions{})
		},
	} {
		label(`"strict"`)
		name := g.pushed(what)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		agent := g.agent(options{poll: time.Hour})
		go func() { ended <- agent.Run(ctx) }()
		g.called(name, false)
		g.Must(weaken())
		g.called(name, true) // long before the next poll
		stop()
		g.Must(<-ended)
		g.once(options{})
		g.leftNothing(name, requests.CausePolicyChanged)
		g.Must(kube.ForTest(t).Apply(t.Context(), kube.AgentManifests([]string{g.Namespace},
			[]string{"payments-debug"})))
		g.Must(kube.ForTest(t).Apply(t.Context(), g.rights))
		g.SetClock(g.Clock().Add(time.Minute))
	}
}

// TestCommandsAtTheirEnd: while a grant of one command ends, its Role and its binding one after the
// other, no other command gets through. Where something marked whom to limit, RBAC would let him in
// that the policy no longer knows.
func TestCommandsAtTheirEnd(t *testing.T) {
	g := newGiven(t, strictCommand)
	g.sections["request"] = dateCommand
	path := fmt.Sprintf("/api/v1/namespaces/%s/pods/api-1/exec?container=app&stdout=true&command=",
		g.Namespace)
	ctx, stop := context.WithCancel(t.Context())
	leaked := make(chan string, 1)
	var tried atomic.Int32
	go func() {
		defer close(leaked)
		for ctx.Err() == nil {
			tried.Add(1)
			if status, answer := g.call("", false, http.MethodPost,
				path+"sh"); status != http.StatusForbidden {
				leaked <- answer
				return
			}
		}
	}()
	for n := range 25 {
		name := g.pushed(fmt.Sprintf("race-%d", n))
		g.once(options{})
		g.called(name, false)
		g.SetClock(g.Clock().Add(time.Hour))
		g.once(options{})
		g.called(name, true)
	}
	stop()
	if answer := <-leaked; answer != "" {
		t.Errorf("sh got through: %s", answer)
	}
	if tried.Load() < 100 {
		t.Errorf("sh was tried only %d times", tried.Load())
	}
}
