package simulation

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// decided is what main had of the files that decide, from a time on.
type decided struct {
	from  time.Time
	files map[string]root
	tip   string
	line  string // of main, from tip back
	lost  bool   // some of what main had before
}

// knowledge is what people know beside single requests.
type knowledge struct {
	main   []decided
	facts  map[string][]event     // by what it is about
	pushed map[string]time.Time   // when main had a commit that changed what decides, first
	theirs map[string][]time.Time // when people took a file from main or changed it, by path
	lost   map[string]bool        // files that people took from main
	tales  []event                // that processes were told of commands
	wrongs wrongs
}

func (h history) knowledge() *knowledge {
	k := &knowledge{facts: map[string][]event{}, pushed: map[string]time.Time{},
		theirs: map[string][]time.Time{}, lost: map[string]bool{}, wrongs: h.wrongs()}
	for _, e := range h {
		switch {
		case e.tale != nil:
			k.tales = append(k.tales, e)
		case e.fact != nil:
			k.facts[e.fact.what] = append(k.facts[e.fact.what], e)
		case e.push != nil:
			now := decided{from: e.at, files: map[string]root{}, tip: e.push.tip, line: e.push.line,
				lost: !e.push.continues}
			if n := len(k.main); n > 0 {
				for path, file := range k.main[n-1].files {
					now.files[path] = file
				}
			}
			for path, file := range e.push.decides {
				now.files[path] = file
				if _, known := k.pushed[file.commit]; !known {
					k.pushed[file.commit] = e.at
				}
			}
			k.main = append(k.main, now)
			for path, status := range e.push.changed {
				if e.push.cluster == "" && status != "A" {
					k.theirs[path] = append(k.theirs[path], e.at)
					k.lost[path] = k.lost[path] || status == "D"
				}
			}
		}
	}
	return k
}

// during are the states that main had from one time to another.
func (k *knowledge) during(from, to time.Time) (all []decided) {
	for i, d := range k.main {
		if !d.from.After(to) && (i == len(k.main)-1 || k.main[i+1].from.After(from)) {
			all = append(all, d)
		}
	}
	return all
}

// was tells whether something had one value, and no other, from one time to another.
func (k *knowledge) was(what, is string, from, to time.Time) bool {
	now := ""
	for _, e := range k.facts[what] {
		if !e.at.After(from) {
			now = e.fact.is
		} else if !e.at.After(to) && e.fact.is != is {
			return false
		}
	}
	return now == is
}

var longest = regexp.MustCompile(`maxDuration: ([0-9]+[hm])`)

// username is whom a requester is in Kubernetes, as identities.yaml has it.
func username(d decided) string {
	_, alice, _ := strings.Cut(d.files[identitiesFile].content, "github: alice\n")
	_, rest, _ := strings.Cut(alice, "username: ")
	name, _, _ := strings.Cut(rest, "}")
	return name
}

// wanted is what is to be made for a request, for whom it is at its merge.
func (a *account) wanted(k *knowledge) map[string]string {
	r := *a.request
	r.user = k.usernameAt(a.mergedAt())
	return r.objects()
}

// usernameAt is the one at a time; empty: there was none.
func (k *knowledge) usernameAt(at time.Time) string {
	for _, d := range k.during(at, at) {
		return username(d)
	}
	return ""
}

var roleOf = regexp.MustCompile(`roleRef: {kind: ClusterRole, name: ([a-z-]+)}`)

// speaksAgainst is why a request is not to be granted while main is so, before its merge or after.
func (k *knowledge) speaksAgainst(d decided, a *account, merged bool) string {
	asks := d.files[policies.Path(a.policy)]
	most := longest.FindStringSubmatch(asks.content)
	if most == nil {
		return "it has no policy"
	}
	if longest, err := time.ParseDuration(most[1]); err != nil || a.length > longest {
		return "its policy gives access for " + most[1] + " at most"
	}
	if username(d) == "" {
		return "nobody knows whom it is for"
	}
	owned := !strings.Contains(asks.content, "challenges:") || strings.Contains(asks.content, "CodeOwnerReview")
	if a.allowed == "" && owned && a.policy != "shop-team" &&
		!strings.Contains(d.files[ownersFile].content, "/requests/ @bob") {
		return "its approver owns it not"
	}
	if strings.Contains(asks.content, "name: carol") {
		return "its policy asks for one more review"
	}
	seen := []string{policies.Path(a.policy), ownersFile}
	for _, role := range roleOf.FindAllStringSubmatch(asks.content, -1) {
		path := rbac.CatalogPath(a.cluster, role[1])
		if d.files[path].content != k.main[0].files[path].content { // it is so in the cluster
			return "its role is not the one that its approver was shown"
		}
		seen = append(seen, path)
	}
	for _, path := range append(seen, identitiesFile) {
		commit := d.files[path].commit
		if len(k.facts[unapproved+commit]) > 0 {
			return "nobody approved " + path + " as it is"
		}
		if !merged && path != identitiesFile && a.standing().Before(k.pushed[commit]) {
			return path + " changed after it was approved"
		}
	}
	return ""
}

// against is what spoke against a grant at each moment from one time to another; empty: there was one
// at which nothing did.
func (k *knowledge) against(a *account, merged bool, from, to time.Time) (why string) {
	for _, d := range k.during(from, to) {
		if why = k.speaksAgainst(d, a, merged); why == "" {
			return ""
		}
	}
	return why
}

// judgedBefore is how long before a binding is made what it rests on was looked at: a judgement
// counts for half a minute, and a call is slow.
const judgedBefore = withdrawalBound

// stoodAll: no binding for which not everything stood, at the merge and when it was made. An approval
// covers whom it was for when it was given and ever since; where nobody approves, whom it gives to is
// compared with the merge alone, by asAsked.
func stoodAll(h history) (wrong []string) {
	k := h.knowledge()
	born := map[string]time.Time{}
	for _, e := range h {
		if e.started != nil {
			born[e.started.process] = e.at
		}
	}
	for _, a := range h.accounts() {
		if a.trusted {
			continue // nobody is asked for more than that it is on main
		}
		for _, e := range a.made {
			from := e.at.Add(-judgedBefore)
			say := func(why string) {
				wrong = append(wrong, fmt.Sprintf("%s was bound at %s, although %s", a.name, e.at, why))
			}
			if a.standing().IsZero() {
				say("no approval stood at its merge")
				continue
			}
			at := a.mergedAt()
			if why := k.against(a, false, at.Add(-time.Nanosecond), at.Add(-time.Nanosecond)); why != "" {
				say("at its merge " + why)
			}
			if why := k.against(a, true, from, e.at); why != "" {
				say(why)
			}
			for _, d := range k.during(a.standing(), from) {
				if a.allowed == "" && username(d) != k.usernameAt(at) {
					say("it was for somebody else since it was approved")
				}
			}
			if k.was("bob", "read", from, e.at) {
				say("its approver may not write any more")
			}
			if a.policy == "shop-team" && k.was(teamLost, "yes", from, e.at) {
				say("its approver is not in the team any more")
			}
			if k.was(rulesWeak, "yes", from, e.at) && k.was(rulesWeak, "yes", born[e.version.process], e.at) {
				say("the rules on main were weak ever since " + e.version.process + " began")
			}
		}
	}
	return wrong
}

// mergedAt is when main had it by its merge, to the moment.
func (a *account) mergedAt() time.Time {
	if a.trusted || a.allowed == glass {
		return a.merged
	}
	var at time.Time
	for _, e := range a.deeds {
		if e.did.what == merges {
			at = e.at
		} else if e.did.what == mergesNot {
			at = time.Time{}
		}
	}
	return at
}

// onLease is the commit in the notes of a Lease that main is to continue from: the accepted head, or what an
// agent went on to since.
func onLease(notes map[string]string) string {
	return cmp.Or(kube.GoneOnTo(notes), notes[kube.AnnotationHead])
}

// onKnownBranch: no binding while main does not continue from the commit on the Lease, which an
// agent or a person put there.
func onKnownBranch(h history) (wrong []string) {
	k, heads := h.knowledge(), map[string]string{}
	for _, e := range h {
		v := e.version
		switch {
		case v == nil || v.New == nil:
		case v.Resource == "leases":
			heads[v.cluster] = onLease(v.New.GetAnnotations())
		case v.Old == nil && v.process != "" && slices.Contains(access, v.Resource):
			head := heads[v.cluster]
			if !slices.ContainsFunc(k.during(e.at.Add(-judgedBefore), e.at), func(d decided) bool {
				return strings.Contains(d.line, head)
			}) {
				wrong = append(wrong, fmt.Sprintf("%s was bound at %s, when main did not continue from %s",
					v.New.GetName(), e.at, head))
			}
		}
	}
	return wrong
}

// usedUp: no binding for what the ledger has an entry of, whatever became of the request's file. An
// entry that people took from main again, and accepted that, of what never was bound, is as if it had
// not been: nothing else remembers it.
func usedUp(h history) (wrong []string) {
	entered, late := map[string]time.Time{}, map[string]time.Time{}
	accounts := h.accounts()
	for _, e := range h {
		switch {
		case e.push != nil:
			for path, status := range e.push.changed {
				if status == "A" {
					entered[path] = e.at
				} else if status == "D" {
					delete(entered, path)
				}
			}
		case e.version != nil && e.version.Old == nil && slices.Contains(access, e.version.Resource):
			for _, a := range accounts {
				since, known := entered[requests.RevocationPath(a.cluster, a.name)]
				if known && e.at.Sub(since) > withdrawalBound && slices.ContainsFunc(a.made, func(b event) bool {
					return b.version == e.version
				}) {
					late[a.name] = e.at
				}
			}
		}
	}
	for _, name := range sorted(late) {
		wrong = append(wrong, fmt.Sprintf("%s was bound at %s, and the ledger had it long before", name,
			late[name]))
	}
	return wrong
}

// changed are the causes of an end by what became otherwise while a grant lasted, or waited to begin.
func (a *account) changed(k *knowledge, at time.Time) (causes []string) {
	since := a.merged
	if a.granted() {
		since = a.made[0].at.Add(-judgedBefore)
	}
	causes = a.usedBy(k, at)
	if a.trusted || since.IsZero() {
		return causes
	}
	for _, d := range k.during(since, at) {
		asks := d.files[policies.Path(a.policy)].content
		if over, ends := a.overBy(asks); longest.FindStringSubmatch(asks) == nil || ends && !at.Before(over) {
			causes = append(causes, requests.CausePolicyChanged)
		}
		if username(d) != k.usernameAt(a.mergedAt()) {
			causes = append(causes, requests.CauseSubjectRemoved)
		}
	}
	if a.refused() {
		causes = append(causes, requests.CauseRevoked)
	}
	if times := k.theirs[a.path]; len(times) > 0 && !times[0].After(at) {
		causes = append(causes, requests.CauseRevoked)
	}
	return causes
}
