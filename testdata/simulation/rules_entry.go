package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// ledgerExact: what an entry says of when access was, and by which pull request, is as it was.
func ledgerExact(h history) (wrong []string) {
	late := 100 * 365 * 24 * time.Hour // an end that no replica saw is known to all of them only later
	if !h.faulty() {
		late = calmBound
	}
	rewritten := slices.ContainsFunc(h, func(e event) bool {
		return e.push != nil && e.push.old != "" && !e.push.continues
	})
	for _, a := range h.accounts() {
		entry, there := h.entry(a)
		if !there || a.merged.IsZero() {
			continue
		}
		again := slices.ContainsFunc(h, func(e event) bool { // it stood on main before, or came back to it
			return e.push != nil && e.push.tip == entry.Status.MergeCommit && e.push.changed[a.path] == "A"
		})
		for _, what := range a.inexact(entry.Status, late, rewritten || again) {
			wrong = append(wrong, fmt.Sprintf("the entry of %s says %s", a.name, what))
		}
	}
	return wrong
}

// entry is what main says in the end of what became of a request.
func (h history) entry(a *account) (entry requests.Revocation, there bool) {
	return h.entryOf(a.cluster, a.name)
}

// entryOf is the same of a name in the ledger of a cluster.
func (h history) entryOf(cluster, name string) (entry requests.Revocation, there bool) {
	path := requests.RevocationPath(cluster, name)
	entry, findings := requests.ParseRevocation(path, []byte(h[len(h)-1].main[path]+"\n"))
	return entry, len(findings) == 0 // otherwise another rule tells
}

// inexact is what is wrong with when and by whom, as an entry tells it. What was judged anew has no
// times, and where GitHub did not answer nobody who approved it.
func (a *account) inexact(s requests.Status, late time.Duration, rewritten bool) (wrong []string) {
	if !a.bound() && (a.announced.IsZero() || s.Cause == requests.CauseDenied || s.GrantedAt == nil) {
		if s.GrantedAt != nil {
			wrong = append(wrong, fmt.Sprintf("that access began at %s; it never did", s.GrantedAt))
		}
		return wrong
	}
	anew := a.anew(s)
	if !a.trusted && !a.pushed { // else no pull request has a part in it
		if s.PullRequest != a.number && !(anew && s.PullRequest == 0) {
			wrong = append(wrong, fmt.Sprintf("#%d; it was #%d", s.PullRequest, a.number))
		}
		if a.commit != "" && s.MergeCommit != a.commit && !rewritten {
			wrong = append(wrong, fmt.Sprintf("that commit %s brought it; it was %s", s.MergeCommit, a.commit))
		}
		if a.allowed == "" && !(anew && len(s.Approvers) == 0) && !slices.ContainsFunc(s.Approvers,
			func(by requests.Approver) bool { return by.Login != "alice" }) {
			wrong = append(wrong, fmt.Sprintf("that %v approved it; somebody else than who asked did",
				s.Approvers))
		}
	}
	if anew {
		return wrong
	}
	if s.GrantedAt == nil || !s.GrantedAt.Equal(a.start) {
		wrong = append(wrong, fmt.Sprintf("that access began at %s; it did at %s", s.GrantedAt, a.start))
	}
	if s.ExpiresAt == nil || !slices.ContainsFunc(a.saidEnds(), s.ExpiresAt.Equal) {
		wrong = append(wrong, fmt.Sprintf("that its window ended at %s; it did at %s", s.ExpiresAt, a.end))
	}
	if gone := lastBinding(a.gone).Truncate(time.Second); !gone.IsZero() && len(a.forgot) == 0 {
		if off := s.RevokedAt.Sub(gone); off < -tolerated || off > late {
			wrong = append(wrong, fmt.Sprintf("that access ended at %s; it did at %s", s.RevokedAt, gone))
		}
	}
	return wrong
}

// bound tells whether a binding of its was ever made.
func (a *account) bound() bool { return !lastBinding(a.made).IsZero() }

// lastBinding is when the last of some versions was that are of bindings: a Role alone gives nothing. Zero:
// none is.
func lastBinding(versions []event) (at time.Time) {
	for _, e := range versions {
		if e.version.binds() {
			at = e.at
		}
	}
	return at
}

// binds tells whether a version is of a binding.
func (v *version) binds() bool { return strings.HasSuffix(v.Resource, "bindings") }

// announces tells whether a version of a record says that a binding is about to be made. Who finds
// that, and no binding, cannot tell that it never was: it is taken to have been, but where it is
// refused.
func (v *version) announces() bool {
	return v.Resource == records && v.process != "" && v.New != nil && announced(v.New)
}

// announced tells whether a record says that.
func announced(record cluster.Object) bool {
	return slices.ContainsFunc(remembers(record), func(o plan.Object) bool {
		return o.IsBinding() && o.Content != ""
	})
}

// remembers are the objects that a record has; none where nobody can read them.
func remembers(record cluster.Object) (all []plan.Object) {
	text, _, _ := unstructured.NestedString(record.Object, "data", "objects")
	if json.Unmarshal([]byte(text), &all) != nil {
		return nil
	}
	return all
}

// anew tells whether an entry is of a request that was judged once more, as if it never had been granted:
// the cluster had forgotten what it was bound by. Or of one that ended as it waited to be granted, as etcd
// knew it again.
func (a *account) anew(s requests.Status) bool {
	if s.GrantedAt != nil || s.ExpiresAt != nil {
		return false
	}
	switch until := s.RevokedAt.Add(tolerated); s.Cause {
	case requests.CauseExpired, requests.CauseBindingDeleted: // of what was
		return false
	case requests.CauseDenied:
		return a.forgotten(lastBinding(a.made), until)
	default:
		return a.waitsAgain(until)
	}
}

// waitsAgain tells whether by a time etcd had its record as before anything was bound, or none, after that was,
// and its binding was gone.
func (a *account) waitsAgain(by time.Time) bool {
	bound := lastBinding(a.made)
	return !bound.IsZero() && !a.has(by) && slices.ContainsFunc(a.unmade, func(at time.Time) bool {
		return at.After(bound) && !at.After(by)
	})
}

// calmEnd is from when a request left main to the end of its access: a poll and a pass.
const calmEnd = 15 * time.Second

// endedInTime: where nothing breaks, access ends soon after its request is taken from main, by
// whomever.
func endedInTime(h history) (wrong []string) {
	if h.faulty() {
		return nil
	}
	for _, a := range h.accounts() {
		if !a.granted() || a.left.IsZero() || a.leftBy != "people" || !a.left.Before(a.end) {
			continue
		}
		if len(a.gone) == 0 || a.gone[len(a.gone)-1].at.Sub(a.left) > calmEnd {
			wrong = append(wrong, fmt.Sprintf("%s left main at %s, and was bound %s later still", a.name,
				a.left, calmEnd))
		}
	}
	return wrong
}
