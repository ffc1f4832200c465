package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// matching is a scenario of what matches nginx-*, of a kind of objects that a role lets be read.
func matching(t *testing.T, kind, role string) *given {
	t.Helper()
	return newGiven(t, txtar.Parse(fmt.Appendf(nil, `-- role/%[2]s --
- {apiGroups: ["", example.com], resources: [pods, gadgets], verbs: [get]}
-- target --
grants:
  - kind: KubernetesResourceRole
    defaultNamespace: NAMESPACE
    allowedNamespaces: [NAMESPACE]
    roleRef: {kind: ClusterRole, name: %[2]s}
    resources: [{resource: %[1]s, names: ["nginx-*"], patterns: true}]
-- request --
resources: ["%[1]s/nginx-*"]
`, kind, role)))
}

func (g *given) grantedRole(name string) *rbacv1.Role {
	g.Helper()
	role, err := g.Admin.RbacV1().Roles(g.Namespace).Get(g.Context(), requests.ObjectName(name, 0),
		metav1.GetOptions{})
	g.Must(err)
	return role
}

// TestAddedNamesAreTakenAway: what only the API server's own masters can add to the Role of a grant
// is taken away at once when it is names, and ends the grant when it is more.
func TestAddedNamesAreTakenAway(t *testing.T) {
	g := matching(t, "pods", "pod-reader")
	g.pods([]string{"nginx-1"})
	g.pods([]string{"api-1"})
	name := g.asked()
	g.once(options{github: true})
	const at = "GET /api/v1/namespaces/%s/pods/%s %d"
	g.expect(name, fmt.Sprintf(at, g.Namespace, "nginx-1", 200), false)
	g.run(options{github: true})
	change := func(with func(r *rbacv1.PolicyRule)) {
		t.Helper()
		role := g.grantedRole(name)
		with(&role.Rules[0])
		_, err := g.Admin.RbacV1().Roles(g.Namespace).Update(t.Context(), role, metav1.UpdateOptions{})
		g.Must(err)
	}
	change(func(r *rbacv1.PolicyRule) { r.ResourceNames = append(r.ResourceNames, "api-1") })
	g.Until("the name is gone", func() bool {
		return slices.Equal(g.grantedRole(name).Rules[0].ResourceNames, []string{"-", "nginx-1"})
	})
	g.expect(name, fmt.Sprintf(at, g.Namespace, "api-1", 403), false)
	change(func(r *rbacv1.PolicyRule) { r.Verbs = []string{"delete", "get"} })
	g.Until("the grant is over, and its record gone after its entry", func() bool {
		return g.entered(name) && len(g.Records()) == 0
	})
	g.leftNothing(name, requests.CauseRevoked)
}

const gadgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  names: {plural: gadgets, kind: Gadget}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`

// TestNamesStandStillWhileAKindIsGone: what extends the API is taken away while a grant lasts. That
// ends nothing and gives nothing, it is told, and names are kept again when it is back.
func TestNamesStandStillWhileAKindIsGone(t *testing.T) {
	cp := controlplane.ForTest(t)
	served := func() {
		t.Helper()
		if err := cp.Apply(t.Context(), []byte(gadgets)); err != nil {
			t.Fatal(err)
		}
	}
	served()
	g := matching(t, "gadgets.example.com", "gadget-reader")
	gadget := func(name string) {
		t.Helper()
		g.Until("there is "+name, func() bool {
			return cp.Apply(t.Context(), fmt.Appendf(nil, "apiVersion: example.com/v1\nkind: Gadget\n"+
				"metadata: {name: %s, namespace: %s}\n", name, g.Namespace)) == nil
		})
	}
	gadget("nginx-1")
	name := g.asked()
	agent := g.agent(options{github: true})
	g.running(agent)
	const at = "GET /apis/example.com/v1/namespaces/%s/gadgets/%s 200"
	g.expect(name, fmt.Sprintf(at, g.Namespace, "nginx-1"), false)
	g.Until("it is told what matches", func() bool {
		return strings.Contains(g.said(2), "1 match now: "+github.Code("nginx-1"))
	})
	g.Must(g.Admin.RESTClient().Delete().AbsPath(
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.example.com").
		Do(t.Context()).Error())
	g.Until("names stand still", func() bool { return g.series(agent, "names_still", "") == "1" })
	if strings.Contains(g.said(2), "names stand still") {
		t.Error("it is told at once, though it may pass")
	}
	g.SetClock(g.Clock().Add(time.Minute))
	g.Until("it is told", func() bool { return strings.Contains(g.said(2), "names stand still") })
	g.says(2, "the cluster serves no such objects", "Access until")
	served()
	gadget("nginx-2")
	g.expect(name, fmt.Sprintf(at, g.Namespace, "nginx-2"), false)
	g.Until("it is over", func() bool { return g.series(agent, "names_still", "") == "0" })
	g.Until("it is told that it is over", func() bool {
		return strings.Contains(g.said(2), "1 match now: "+github.Code("nginx-2")) &&
			!strings.Contains(g.said(2), "stand still")
	})
}

// TestNamesStandStillWithoutAnAgent: with nobody who keeps names, the Role stays as it was.
func TestNamesStandStillWithoutAnAgent(t *testing.T) {
	g := matching(t, "pods", "pod-reader")
	g.pods([]string{"nginx-1"})
	name := g.asked()
	g.once(options{github: true})
	before := g.grantedRole(name)
	g.pods([]string{"nginx-2"})
	time.Sleep(200 * time.Millisecond)
	if after := g.grantedRole(name); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("somebody changed it: %v", after.Rules)
	}
	g.once(options{github: true})
	if names := g.grantedRole(name).Rules[0].ResourceNames; !slices.Equal(names, []string{"-",
		"nginx-1", "nginx-2"}) {
		t.Errorf("one pass leaves the names %q", names)
	}
}
