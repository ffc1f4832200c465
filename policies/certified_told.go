package policies

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// certifiedLess says how a policy must be certified less often than the old one.
func (s PolicySpec) certifiedLess(old PolicySpec) []string {
	switch {
	case old.Recertify > 0 && s.Recertify == 0:
		return []string{fmt.Sprintf("it need not be certified any more every %s", old.Recertify)}
	case old.Recertify > 0 && s.Recertify > old.Recertify:
		return []string{fmt.Sprintf("it must be certified every %s only instead of every %s",
			s.Recertify, old.Recertify)}
	}
	return nil
}

// certifiedAnew names the policies whose time begins by a change that does not certify them: one
// that was never certified is changed, or a certification is taken away.
func certifiedAnew(before, after Tree) (all []string) {
	for _, name := range after.PolicyNames() {
		now, stands, findings := after.Policy(name)
		was, stood, broken := before.Policy(name)
		if !stands || !stood || len(findings)+len(broken) > 0 || now.Spec.Recertify == 0 ||
			was.Spec.Recertify == 0 {
			continue
		}
		old, begins := before.Certifying(name), after.Certifying(name)
		switch {
		case old != begins && begins == Path(name):
			all = append(all, fmt.Sprintf("policy %s: its certification is taken away, so its %s count "+
				"from the merge that changed the policy last", name, now.Spec.Recertify))
		case begins == Path(name) && !sameFile(before, after, begins):
			all = append(all, fmt.Sprintf("policy %s: nobody certified it yet, and its %s begin anew with "+
				"this change", name, now.Spec.Recertify))
		}
	}
	return all
}

// maxSoon bounds how long before its end a policy's time is told to be nearly over.
const maxSoon = 30 * 24 * time.Hour

// Soon tells whether the time of a policy that began at since is over, or as nearly so that it is
// time to certify it: when a third of it is left, and at most 30 days.
func (s PolicySpec) Soon(since, now time.Time) (soon, over bool) {
	if s.Recertify == 0 {
		return false, false
	}
	left := since.Add(s.Recertify.Long()).Sub(now)
	return left <= min(s.Recertify.Long()/3, maxSoon), left <= 0
}

// certifications looks at the certifications by the days that they name: when they were merged only
// GitHub knows.
func (l *linter) certifications() {
	for _, file := range slices.Sorted(maps.Keys(l.tree.Files)) {
		if !IsCertification(file) {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, CertifiedFolder+"/"), ".yaml")
		c, d := document[Certification](l.tree, file)
		policy, exists, findings := l.tree.Policy(name)
		if len(d.Findings)+len(findings) > 0 {
			continue
		}
		spec := policy.Spec
		switch soon, over := spec.Soon(c.Spec.Day.Time, l.now); {
		case !exists || spec.Recertify == 0:
			d.Add("metadata.name", RuleCertifiedIdle, "nothing asks for this file, since %s has no "+
				"spec.recertify; remove it", Path(name))
		case over:
			d.Add("spec.day", RuleCertifiedOver, "the policy %s grants nothing any more, %s after it was "+
				"certified; run `pullgrant policy recertify`", name, spec.Recertify)
		case soon:
			d.Add("spec.day", RuleCertifiedSoon, "the policy %s grants nothing from %s on, %s after it was "+
				"certified; run `pullgrant policy recertify`", name,
				requests.DayOf(c.Spec.Day.Add(spec.Recertify.Long())), spec.Recertify)
		}
		l.findings = append(l.findings, d.Findings...)
	}
}

// changes are those of the files that a request at path is judged by, as a case of a policy test
// has them: only what began the policy's time was ever merged.
func (t Tree) changes(path string, c TestCase) (all []Change) {
	place, _ := requests.SplitPath(path)
	policy, _, _ := t.Policy(place.Policy)
	ago := time.Duration(cmp.Or(c.Waited, waitedShort)) + time.Minute
	if c.Certified > 0 {
		ago = c.Certified.Long()
	}
	merged := requests.At(c.now().Add(-ago))
	for _, dated := range t.Dated(path) {
		change := Change{Path: dated}
		if policy.Spec.Recertify > 0 && dated == t.Certifying(place.Policy) {
			change.PullRequest, change.MergedAt = 2, &merged
		}
		all = append(all, change)
	}
	return all
}
