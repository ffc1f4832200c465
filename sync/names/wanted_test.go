package names

import (
	"fmt"
	"reflect"
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
			func(of kube.Objects) ([]string, bool) {
				names, known := c.found[of]
				return names,
					known
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
