package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// onCallMore says what may put people on call by the rotas of after that those of before did not: new
// shifts and overrides, another zone, and overrides that keep nobody off any more. Rotas that do not
// read are left out; nobody is on call by them.
func onCallMore(before, after Tree) (all []string) {
	for _, now := range after.rotas() {
		if len(now.findings) > 0 {
			continue
		}
		add := func(format string, args ...any) {
			all = append(all, "rota "+now.Metadata.Name+": "+fmt.Sprintf(format, args...))
		}
		old := before.rota(now.path)
		if len(old.findings) == 0 && old.Spec.TimeZone != now.Spec.TimeZone {
			add("its times are those of %s instead of %s", now.Spec.TimeZone, old.Spec.TimeZone)
		}
		for _, shift := range newOnes(old.Spec.Shifts, now.Spec.Shifts) {
			add("on call is %s", shift)
		}
		for _, o := range newOnes(old.Spec.Overrides, now.Spec.Overrides) {
			add("on call is %s", o)
		}
		for _, o := range newOnes(now.Spec.Overrides, old.Spec.Overrides) {
			add("it does not say any more that on call is %s", o)
		}
	}
	return all
}

// newOnes are those that say what none of the old ones says.
func newOnes[T fmt.Stringer](old, now []T) []T {
	return slices.DeleteFunc(slices.Clone(now), func(one T) bool {
		return slices.ContainsFunc(old, func(other T) bool { return other.String() == one.String() })
	})
}

// overridesOwned refuses a change with an override that says it is somebody else's than the change's
// author: it is told to reviewers and in the ledger who put themselves on call (R88).
func (j *judge) overridesOwned(after Tree) string {
	author := j.facts.PullRequest.Author.Login
	for _, now := range after.rotas() {
		old := j.tree.rota(now.path)
		_, d := document[Rota](after, now.path)
		for i, o := range now.Spec.Overrides {
			if strings.EqualFold(o.By, author) || len(newOnes(old.Spec.Overrides, []Override{o})) == 0 {
				continue
			}
			d.Add(fmt.Sprintf("spec.overrides[%d].by", i), ruleOverride, "it is %s; who brings an override "+
				"is its by: write %s", requests.Quote(o.By), requests.Quote(author))
			j.decision.Findings = d.Findings
			return d.Findings[0].String()
		}
	}
	return ""
}
