package forge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestAncestry: what is answered without git is what git answers, of histories with merges of all sorts.
func TestAncestry(t *testing.T) {
	f := start(t, Options{})
	chance := rand.New(rand.NewPCG(1, 2))
	paths := []string{"top", "a/one", "a/two", "b/c/deep", "b/c", "b"}
	var all []string
	answered := map[string]int{}
	for n := range 150 {
		c := commitObject{Message: fmt.Sprint(n), Author: f.identity(f.users["root"]),
			Committer: f.identity(f.users["root"])}
		if n > 0 && n != 70 { // a second beginning
			c.Parents = []string{all[max(len(all)-1-chance.IntN(6), 0)]}
		}
		if other := all; len(other) > 5 && chance.IntN(4) == 0 && c.Parents != nil {
			if second := other[chance.IntN(len(other))]; second != c.Parents[0] {
				c.Parents = append(c.Parents, second)
			}
		}
		base := ""
		if c.Parents != nil {
			base = must(f.git.commit(c.Parents[chance.IntN(len(c.Parents))]))(t).Tree
		}
		var put []entry
		for _, path := range paths[:4] {
			switch chance.IntN(8) {
			case 0:
				put = append(put, entry{Mode: "100644", Type: "blob", Path: path,
					SHA: must(f.git.writeBlob(fmt.Sprint(chance.IntN(3))))(t)})
			case 1:
				put = append(put, entry{Path: path})
			}
		}
		c.Tree = must(f.git.writeTree(base, put))(t)
		all = append(all, must(f.git.writeCommit(c))(t))
	}
	git := func(args ...string) []string {
		out, _ := f.git.runEnv(nil, "", args...)
		return strings.Fields(out)
	}
	same := func(what string, got []string, ok bool, args ...string) {
		if !ok {
			return
		}
		answered[what]++
		if want := git(args...); !slices.Equal(got, want) {
			t.Errorf("%s: %q, and git says %q", strings.Join(args, " "), got, want)
		}
	}
	for range 200 {
		a, b := all[chance.IntN(len(all))], all[chance.IntN(len(all))]
		path := paths[chance.IntN(len(paths))]
		touched, ok := f.git.looseHistory(a, path)
		same("history", touched, ok, "rev-list", a, "--", ":(top,literal)"+path)
		line, ok := f.git.looseLine(a, b)
		same("line", line, ok, "rev-list", "--reverse", "--topo-order", a, "^"+b)
		if bases := git("merge-base", "--all", a, b); len(bases) == 1 {
			base, err := f.git.mergeBase(a, b)
			same("base", []string{base}, err == nil, "merge-base", a, b)
		}
		yes, ok := f.git.follows(a, b)
		_, err := f.git.runEnv(nil, "", "merge-base", "--is-ancestor", b, a)
		if answered["follows"]++; !ok || yes != (err == nil) {
			t.Errorf("that %s follows %s: %v, %v, and git says %v", a, b, yes, ok, err)
		}
	}
	for _, what := range []string{"history", "line", "base", "follows"} {
		if answered[what] < 50 {
			t.Errorf("%s was answered without git only %d times", what, answered[what])
		}
	}
}
