package sync

import (
	"cmp"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

var defaultContainer = txtar.Parse([]byte(`
-- target --
mode: Impersonate
grants:
  - kind: KubernetesExec
    defaultNamespace: NAMESPACE
    allowedNamespaces: [NAMESPACE]
    pods: [api-1]
    containers: [app, side]
    commands: [[date]]
-- objects --
apiVersion: v1
kind: Pod
metadata: {name: api-1, namespace: NAMESPACE}
spec: {containers: [{name: app, image: app}, {name: side, image: side}]}
-- request --
  exec: {pod: api-1, command: [date]}
`))

// TestDecidedContainerStands: once a record holds which container was decided, that one it is,
// before whichever call the agent was killed, and whatever the pod says by then.
func TestDecidedContainerStands(t *testing.T) {
	g := newGiven(t, defaultContainer)
	says := func(container string) {
		t.Helper()
		_, err := g.Admin.CoreV1().Pods(g.Namespace).Patch(t.Context(), "api-1",
			types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`,
				"kubectl.kubernetes.io/default-container", container), metav1.PatchOptions{})
		g.Must(err)
	}
	stood := 0
	for call := int32(1); ; call++ {
		begin := g.Clock()
		says("app")
		name := g.pushed(fmt.Sprintf("kill-%d", call))
		granting := newCut(call, true, true)
		_ = g.agent(options{wire: granting.wrap}).Once(t.Context())
		decided := ""
		for _, record := range g.Records() {
			var grant requests.Grant
			g.Must(json.Unmarshal([]byte(record.Data["grant"]), &grant))
			if decided = grant.Items[0].Exec.Container; decided == "app" {
				stood++
			}
		}
		says("side")
		g.once(options{})
		const at = "as POST /api/v1/namespaces/%s/pods/api-1/exec?container=%s&stdout=true&command=date %d"
		want := cmp.Or(decided, "side")
		other := map[string]string{"app": "side", "side": "app"}[want]
		g.expect(name, fmt.Sprintf(at, g.Namespace, want, 400), false)
		g.expect(name, fmt.Sprintf(at, g.Namespace, other, 403), false)
		g.SetClock(begin.Add(time.Hour))
		g.once(options{})
		for _, ref := range g.leftNothing(name, requests.CauseExpired).Status.GrantRefs {
			told := map[string]string{render.KindRoleBinding: want}[ref.Kind]
			if ref.Namespace == g.Namespace && ref.Container != told {
				t.Errorf("the ledger says that %s was of container %q", ref.Kind, ref.Container)
			}
		}
		if !granting.struck() || t.Failed() {
			break
		}
	}
	if stood < 4 {
		t.Errorf("in %d tries the container was decided before the agent was killed", stood)
	}
}

// TestDecidedContainerWithoutComments: where nothing can be told on the pull request, access is
// given all the same, and told later.
func TestDecidedContainerWithoutComments(t *testing.T) {
	g := newGiven(t, defaultContainer)
	g.sections["request"] = "exec: {pod: api-1, command: [date]}\n"
	_, err := g.Admin.CoreV1().Pods(g.Namespace).Patch(t.Context(), "api-1", types.MergePatchType,
		[]byte(`{"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "side"}}}`),
		metav1.PatchOptions{})
	g.Must(err)
	name := g.asked()
	g.Fail("", "/repos/acme/access/issues/.*comments.*", -1, 500, "")
	agent := g.agent(options{github: true})
	g.Must(agent.Once(t.Context()))
	g.expect(name, fmt.Sprintf("as POST /api/v1/namespaces/%s/pods/api-1/exec?container=side&"+
		"stdout=true&command=date 400", g.Namespace), false)
	g.Heal()
	g.pause()
	g.Must(agent.Once(t.Context()))
	g.says(2, "### Access until", "in the default container, side, of pod")
}
