package plan

import (
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// TestSeenToGoWasGranted: a binding that was announced, and seen to go before its UID was noted,
// was there: the record that ends has the UID.
func TestSeenToGoWasGranted(t *testing.T) {
	g := grants.Of("a", 1, 1)
	place := Object{Kind: render.KindRoleBinding, Namespace: "payments",
		Name: requests.ObjectName(g.Name, 0)}
	announced := place
	announced.Content, announced.NamespaceUID = "own", "ns"
	w := World{Cluster: grants.Cluster, Namespaces: map[string]string{"payments": "ns"},
		Main:    &Main{Requests: map[string]string{g.Path: g.Evidence.Blob}},
		Records: []Record{{Phase: Granting, Grant: g, Objects: []Object{announced}, Version: "1"}},
		Gone: []Gone{{Live: Live{Kind: place.Kind, Namespace: place.Namespace,
			Name: place.Name, UID: "u1",
			Managed: true, Content: "own"}, At: g.Window.Start.Add(time.Minute)}}}
	steps := Make(g.Window.Start.Add(2*time.Minute), w)
	if len(steps) == 0 || steps[0].Action != End || steps[0].Record.Objects[0].UID != "u1" ||
		!steps[0].Record.EverGranted() {
		t.Errorf("it plans %+v", steps)
	}
}

// TestIsFirst: a request that shares its name has it only where it is known to have come first.
func TestIsFirst(t *testing.T) {
	g := grants.Of("a", 1, 1)
	other := requests.Path("prod-us", g.Policy, g.Name)
	for name, c := range map[string]struct {
		has   []string
		first map[string]string
		want  bool
	}{
		"alone":     {[]string{g.Path}, nil, true},
		"first":     {[]string{g.Path, other}, map[string]string{g.Name: g.Path}, true},
		"second":    {[]string{g.Path, other}, map[string]string{g.Name: other}, false},
		"not known": {[]string{g.Path, other}, nil, false},
		"at once":   {[]string{g.Path, other}, map[string]string{g.Name: ""}, false},
	} {
		m := Main{Names: map[string][]string{g.Name: c.has}, First: c.first}
		if got := m.IsFirst(g.Path); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
