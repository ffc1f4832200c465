package policies_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
	"github.com/pullgrant/pullgrant/testdata/findings"
)

// FuzzEvaluate judges whatever facts: it never panics, judges alike twice, allows nothing without
// an approval of the head or a withdrawal, and gives nothing but what the policy lists.
func FuzzEvaluate(f *testing.F) {
	now, _ := time.Parse(time.RFC3339, cases.Now)
	all, seen := scenarios(f), map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(all)) { // one of each outcome: the others are judged by TestCases
		c := all[name]
		data, err := json.Marshal(c.Facts)
		if err != nil {
			f.Fatal(err)
		}
		outcome := fmt.Sprint(c.Merged, policies.Evaluate(c.Facts.Base, c.Facts, c.Now).Code)
		if len(data) < 8<<10 && !seen[outcome] {
			seen[outcome] = true
			f.Add(data, c.Merged)
		}
	}
	f.Add([]byte(`{}`), false)
	f.Fuzz(func(t *testing.T, data []byte, merged bool) {
		var facts policies.Facts
		if json.Unmarshal(data, &facts) != nil {
			return
		}
		path, blob := cases.Path, facts.Head.Files[cases.Path].Blob
		judge := func() policies.Decision {
			if merged {
				return policies.EvaluateMerged(facts, path, blob, now)
			}
			return policies.Evaluate(facts.Base, facts, now)
		}
		d := judge()
		if again := judge(); !reflect.DeepEqual(d, again) {
			t.Fatalf("judged twice: %+v and %+v", d, again)
		}
		d.Explain()
		if d.Outcome != policies.Allowed {
			if d.Code == "" {
				t.Fatalf("%s without a code: %s", d.Outcome, d.Message)
			}
			return
		}
		if d.Kind != policies.KindWithdrawal && len(d.Approvers) == 0 {
			t.Fatalf("allowed without an approval: %+v", d)
		}
		for _, a := range d.Approvers {
			if a.ID == 0 || a.ID == facts.PullRequest.Author.ID {
				t.Fatalf("the approval of %+v counted for the pull request of %+v", a,
					facts.PullRequest.Author)
			}
		}
		if d.Kind == policies.KindRequest && (d.Grant == nil || len(d.Grant.Items) == 0 ||
			d.Grant.Duration <= 0 || d.Grant.Subject.Name == "") {
			t.Fatalf("allowed without a whole grant: %+v", d.Grant)
		}
		if merged && !d.Grant.Window.Open(now) && !now.Before(d.Grant.Window.Start.Time) {
			t.Fatalf("granted outside its window %+v", d.Grant.Window)
		}
	})
}

// FuzzParsePolicy reads whatever bytes as each of the files under policies/: findings lie within
// the file, and a policy that is accepted asks for an approval and bounds what it gives.
func FuzzParsePolicy(f *testing.F) {
	for _, file := range scenarios(f)["request/allow_approved_by_code_owner"].Facts.Base.Files {
		f.Add([]byte(file.Content))
	}
	f.Add([]byte("{apiVersion: pullgrant.dev/v1alpha1, kind: AccessPolicy, spec: {challenges: " +
		"[{kind: AnyOf}]}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, found := policies.ParseIdentities(policies.IdentitiesPath, data)
		findings.Within(t, data, found)
		_, found = policies.ParseGroups(policies.GroupsPath, data)
		findings.Within(t, data, found)
		p, found := policies.ParsePolicy(policies.Path("payments-debug"), data)
		if findings.Within(t, data, found); len(found) > 0 {
			return
		}
		if p.Metadata.Name != "payments-debug" || len(p.Spec.Clusters) == 0 ||
			len(p.Spec.Subjects) == 0 || len(p.Spec.Challenges) == 0 ||
			p.Spec.Target.MaxDuration <= 0 ||
			p.Spec.Target.DefaultDuration > p.Spec.Target.MaxDuration ||
			len(p.Spec.Target.Grants) == 0 {
			t.Fatalf("accepted: %+v", p)
		}
		for _, c := range p.Spec.Challenges {
			if c.Count < 1 || c.Kind == policies.PeerReview && len(c.Reviewers) == 0 {
				t.Fatalf("accepted the challenge %+v", c)
			}
		}
		for _, g := range p.Spec.Target.Grants {
			if len(g.AllowedNamespaces) == 0 || g.RoleRef.Name == "" ||
				g.RoleRef.Kind != requests.KindClusterRole {
				t.Fatalf("accepted the grant %+v", g)
			}
		}
	})
}
