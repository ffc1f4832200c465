package action_test

import (
	"fmt"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestManyFilesCostFewCalls: a pull request with more than a thousand files under policies/ costs no
// call for each of them: of this repository they are read a hundred at once, of a fork not at all.
func TestManyFilesCostFewCalls(t *testing.T) {
	for name, c := range map[string]struct{ login, branch, content, want string }{
		"of this repository": {"alice", "many", "no policy %d\n", "failure Denied: PolicyInvalid"},
		"of a fork":          {"eve", "eve:many", "no text \xff %d\n", "failure Denied: WrongBase"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *forge.Options) {
				o.PageSize, o.Contract = 100, false // to check so many files takes long
			})
			w.forge.AddUser("eve", 166)
			w.forge.SetPermission("eve", "read")
			files := map[string]string{}
			for n := range 1200 {
				files[fmt.Sprintf("policies/f%d/p%d.yaml", n%10, n)] = fmt.Sprintf(c.content, n)
			}
			w.push(forge.Change{User: c.login, Branch: c.branch, Files: files})
			var err error
			if w.number, err = w.forge.Open(c.login, c.branch, "Many"); err != nil {
				t.Fatal(err)
			}
			before := len(w.forge.Requests())
			result, err := w.judge()
			if err != nil || result.Outcome != policies.Denied {
				t.Fatal(result.Outcome, err)
			}
			if calls := len(w.forge.Requests()) - before; calls > 100 {
				t.Errorf("%d calls", calls)
			}
			check := w.lastCheck()
			if got := check.Conclusion + " " + check.Title; got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if n := len(check.Annotations); n > 200 {
				t.Errorf("%d annotations", n)
			}
		})
	}
}
