package names

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// numbered are the names nginx-0, nginx-1 and so on.
func numbered(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("nginx-%03d", i))
	}
	return names
}

// TestWanted: a rule gets what matches beside what the request names, and with more than it can
// name, or while what matches is not known, nothing new.
func TestWanted(t *testing.T) {
	item := requests.Item{Namespace: "payments", Allows: []requests.Rule{
		{Resource: "pods", Names: []string{"api-1"}, Match: []requests.Match{
			{Pattern: "nginx-*", Within: []string{"*"}},
			{Selector: "app=a", Within: []string{"web-*", "nginx-*"}}}},
		{Resource: "configmaps", Names: []string{"settings"}},
	}}
	rules, err := rulesOf(item)
	if err != nil {
		t.Fatal(err)
	}
	all := kube.Objects{Namespace: "payments", Kind: "pods"}
	labelled := kube.Objects{Namespace: "payments", Kind: "pods", Selector: "app=a"}
	for name, c := range map[string]struct {
		found   map[kube.Objects][]string
		have    []string
		want    []string
		tooMany int
	}{
		"nothing": {map[kube.Objects][]string{all: nil, labelled: nil}, []string{"-", "nginx-1"},
			[]string{"-", "api-1"}, 0},
		"both ways, once": {map[kube.Objects][]string{all: {"nginx-1", "web-1", "db-1"},
			labelled: {"nginx-1", "web-2", "db-1"}}, nil,
			[]string{"-", "api-1", "nginx-1", "web-2"}, 0},
		"named and matching": {map[kube.Objects][]string{all: {"nginx-1"}, labelled: {"api-1"}},
			nil,
			[]string{"-", "api-1", "nginx-1"}, 0},
		"one is not known": {map[kube.Objects][]string{all: {"nginx-1"}}, []string{"-", "nginx-7"},
			[]string{"-", "nginx-7"}, 0},
		"as many as can be": {map[kube.Objects][]string{all: numbered(499), labelled: nil}, nil,
			append([]string{"-", "api-1"}, numbered(499)...), 0},
		"one too many": {map[kube.Objects][]string{all: numbered(500), labelled: nil},
			[]string{"-", "api-1", "nginx-003", "nginx-gone"}, []string{"-", "api-1", "nginx-003"},
			501},
	} {
		names, tooMany := wanted(rules, [][]string{c.have, {"settings"}},
			func(of kube.Objects) (all []kube.Seen, known bool) {
				names, known := c.found[of]
				for _, name := range names {
					all = append(all, kube.Seen{Name: name})
				}
				return all, known
			})
		count := 0
		if tooMany != nil {
			count = tooMany.Count
		}
		if !reflect.DeepEqual(names, [][]string{c.want, {"settings"}}) || count != c.tooMany {
			t.Errorf("%s: %q, %d match\nwant %q, %d", name, names, count, c.want, c.tooMany)
		}
	}
}

// TestWantedOfADeployment: all three rules of a command follow the pods of the Deployment's own
// ReplicaSets, whatever others wear or say, and as many as all the names have room for.
func TestWantedOfADeployment(t *testing.T) {
	e := requests.Exec{Deployment: "nginx", Container: "app", Command: []string{"cat", "/etc/*"}}
	item := requests.Item{Kind: requests.KubernetesExec, Namespace: "payments", Exec: &e,
		Allows: e.Rules("app")}
	rules, err := rulesOf(item)
	if err != nil {
		t.Fatal(err)
	}
	in := func(kind, name string) kube.Objects {
		return kube.Objects{Namespace: "payments", Kind: kind, Name: name}
	}
	deployment, sets, pods := in("deployments.apps", "nginx"), in("replicasets.apps", ""),
		in("pods", "")
	all := map[kube.Objects][]kube.Seen{
		deployment: {{Name: "nginx", UID: "d"}},
		sets: {{Name: "nginx-1", UID: "r1", Controller: "d"},
			{Name: "nginx-2", UID: "r2", Controller: "d"},
			{Name: "nginx-old", UID: "r0", Controller: "before"}, {Name: "nginx-own", UID: "r3"}},
		pods: {{Name: "nginx-1-a", UID: "a", Controller: "r1"},
			{Name: "nginx-2-b", UID: "b", Controller: "r2"},
			{Name: "nginx-0-c", Controller: "r0"}, {Name: "nginx-3-d", Controller: "r3"},
			{Name: "nginx-loose"}, {Name: "nginx-direct", Controller: "d"},
			{Name: "nginx-2-b-child", Controller: "b"}},
	}
	have := [][]string{{"-"}, {"-"}, {"-"}}
	found := func(of kube.Objects) ([]kube.Seen, bool) { o, known := all[of]; return o, known }
	want := [][]string{{"-", "nginx-1-a", "nginx-2-b"}, {"-", "nginx-1-a", "nginx-2-b"},
		{"-", "nginx-1-a/app cat /etc/*", "nginx-2-b/app cat /etc/*"}}
	if got, tooMany := wanted(rules, have, found); !reflect.DeepEqual(got, want) || tooMany != nil {
		t.Errorf("%q, %v\nwant %q", got, tooMany, want)
	}
	all[deployment] = nil
	if got, _ := wanted(rules, want, found); !reflect.DeepEqual(got, have) {
		t.Errorf("without the Deployment: %q", got)
	}
	delete(all, sets)
	if got, _ := wanted(rules, want, found); !reflect.DeepEqual(got, want) {
		t.Errorf("while its ReplicaSets are not known: %q", got)
	}
	all[deployment], all[sets] = []kube.Seen{{UID: "d"}}, []kube.Seen{{UID: "r", Controller: "d"}}
	for range 501 {
		all[pods] = append(all[pods], kube.Seen{Name: fmt.Sprint("p-", len(all[pods])),
			Controller: "r"})
	}
	if _, tooMany := wanted(rules, have, found); tooMany == nil || tooMany.Count != 501 {
		t.Errorf("501 pods: %v", tooMany)
	}
	e.Command = append(e.Command, strings.Repeat("x", 5000))
	item.Allows = e.Rules("app")
	if rules, err = rulesOf(item); err != nil {
		t.Fatal(err)
	}
	all[pods] = all[pods][:200]
	if _, tooMany := wanted(rules, have, found); tooMany == nil || tooMany.Most >= 193 {
		t.Errorf("a long command in 193 pods: %v", tooMany)
	}
}
