package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// MaxFactsSize bounds the facts that are kept with a ledger entry, in bytes: a ConfigMap, which
// holds them until the grant ends, has room for 1 MiB. Those of an ordinary request have two to
// four thousand.
const MaxFactsSize = 256 << 10

// Encode writes the facts of a request as the ledger keeps them: JSON on one line, in which files
// are named by their git blobs and have no content, and roles that are not asked for are left out:
// that stays in git. Everything else is kept. The same facts always give the same bytes, and so do
// facts whose files were read again from git.
func (f Facts) Encode() ([]byte, error) {
	_, path, _ := KindOf(f.Files)
	return f.bare(path).marshal()
}

// Fit is f where the ledger has room for it, else what is left of it after leaving out what decides
// nothing, of which anybody who may read the repository can make any amount. Whoever keeps facts judges
// these, so that judging what was kept gives the same decision:
//   - of the reviews, those that are neither their author's last opinion, nor the one against the pull
//     request with which it was closed first, and approvals by accounts without write permission beyond
//     the first that an entry lists;
//   - of the pushes, an account's later ones of the head commit, and of the commits before it;
//   - of the accounts and answers, those about people whose reviews are left out, and who are in nothing
//     else that is asked.
//
// Facts that nothing can be decided by stay as they are.
func (f Facts) Fit() Facts {
	data, err := f.Encode()
	if err == nil && len(data) > MaxFactsSize && newJudge(f.Base, f, f.ObservedAt.Time).complete() == "" {
		return f.cut()
	}
	return f
}

func (f Facts) cut() Facts {
	kept := map[string]bool{strings.ToLower(f.PullRequest.Author.Login): true}
	f.Reviews = f.decidingReviews()
	for _, r := range f.Reviews {
		kept[strings.ToLower(r.User.Login)] = true
	}
	f.Pushes, f.Closed = f.decidingPushes(), f.decidingCloses()
	asked := Questions(f.Base, f)
	if f.Merge != nil {
		asked = append(asked, Questions(f.Merge.FirstParent, f)...)
	}
	users, answers := map[string]UserFacts{}, Answers{}
	for login, user := range f.Users {
		if kept[login] {
			users[login] = user
		}
	}
	for q, answer := range f.Answers {
		if kept[q.User] || slices.Contains(asked, q) {
			answers[q] = answer
		}
	}
	if f.Users, f.Answers = users, answers; len(answers) == 0 {
		f.Answers = nil
	}
	return f
}

// decidingReviews are each account's last opinion, and the one against the pull request with which it was
// closed first, beside what dismissed that since, without which it would stand. Of accounts that may not
// write and were never against it, there are the first that an entry lists.
func (f Facts) decidingReviews() (deciding []Review) {
	kept, against, readers := map[int64]bool{}, f.firstAgainst(), 0
	for _, o := range opinions(f) {
		user := f.Users[strings.ToLower(o.user.Login)]
		if !o.blocks && against[o.user.ID] == 0 && user.Permission != "write" && user.Permission != "admin" {
			if readers++; readers > maxIgnored {
				continue
			}
		}
		kept[o.review.ID] = true
	}
	for _, r := range f.Reviews {
		first := against[r.User.ID]
		if kept[r.ID] || first != 0 && (r.ID == first || strings.EqualFold(r.State, "DISMISSED")) {
			deciding = append(deciding, r)
		}
	}
	return deciding
}

// firstAgainst has by account the review with which it was against the pull request when that was closed
// first. What deleted accounts say stands anyway.
func (f Facts) firstAgainst() map[int64]int64 {
	first := map[int64]int64{}
	for _, c := range against(f) {
		if id := c.user.ID; id != 0 && first[id] == 0 {
			first[id] = c.review.ID
		}
	}
	return first
}

// decidingCloses are the first times at which it was closed with one state of its reviews each.
func (f Facts) decidingCloses() (deciding []requests.Time) {
	seen := -1
	for _, at := range slices.SortedFunc(slices.Values(f.Closed), func(a, b requests.Time) int {
		return a.Compare(b.Time)
	}) {
		said := howMany(f.Reviews, func(r Review) bool { return !r.SubmittedAt.After(at.Time) })
		if said != seen {
			deciding, seen = append(deciding, at), said
		}
	}
	return deciding
}

func (f Facts) marshal() ([]byte, error) {
	data, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("write facts: %w", err)
	}
	return []byte(requests.EscapeJSON(string(data)) + "\n"), nil
}

// bare is f without the contents of files; with a request, also without the roles that it does not
// ask for.
func (f Facts) bare(request string) Facts {
	f.Base, f.Head = f.Base.bare(request), f.Head.bare(request)
	if f.Merge != nil {
		merge := *f.Merge
		merge.FirstParent = merge.FirstParent.bare(request)
		f.Merge = &merge
	}
	f.Stood = slices.Clone(f.Stood)
	for i, s := range f.Stood {
		f.Stood[i].Tree = s.Tree.bare(request)
	}
	f.Live = slices.Clone(f.Live)
	for i, l := range f.Live {
		f.Live[i].File, f.Live[i].Policy = l.File.bare(), l.Policy.bare()
	}
	return f
}

// decidingPushes are an account's first push of the head commit and of any other, and the earliest
// of the head, in their order: they tell all that is asked of pushes.
func (f Facts) decidingPushes() []Push {
	type key struct {
		actor int64
		head  bool
	}
	all, seen, earliest := f.pushes(), map[key]bool{}, -1
	isHead := func(p Push) bool { return p.After == f.PullRequest.HeadSHA }
	for i, p := range all {
		if isHead(p) && (earliest < 0 || p.Time.Before(all[earliest].Time.Time)) {
			earliest = i
		}
	}
	deciding := []Push{}
	for i, p := range all {
		if k := (key{p.Actor.ID, isHead(p)}); !seen[k] || i == earliest {
			seen[k] = true
			deciding = append(deciding, p)
		}
	}
	return deciding
}

func (t Tree) bare(request string) Tree {
	reviewed := t.Reviewed(request)
	named := Tree{Commit: t.Commit, Files: map[string]TreeFile{}}
	for name, file := range t.Files {
		if request == "" || !isUnder(name, rbac.CatalogFolder) || slices.Contains(reviewed, name) {
			named.Files[name] = file.bare()
		}
	}
	return named
}

func (f TreeFile) bare() TreeFile { return TreeFile{Mode: f.Mode, Blob: f.Blob} }

// ParseFacts reads what Encode writes, and not one byte else. The facts cannot be judged until
// their files have been read from git.
func ParseFacts(data []byte) (f Facts, err error) {
	if len(data) > MaxFactsSize {
		return f, fmt.Errorf("the facts have %d bytes; the most allowed is %d", len(data),
			MaxFactsSize)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, errors.New("the file holds no facts of a pull request")
	}
	if again, err := f.bare("").marshal(); err != nil || !bytes.Equal(again, data) {
		return f, errors.New("the facts are not as the agent writes them")
	}
	return f, nil
}

// maxIgnored bounds the approvals without effect that an entry lists: whoever can read the
// repository can give one.
const maxIgnored = 50

// Evidence adds to e what a ledger entry tells of how the decision came about.
func (d Decision) Evidence(e requests.Evidence) requests.Evidence {
	e.PolicyCommit, e.Approvers, e.Challenges, e.Ignored = d.PolicyCommit, d.Approvers, nil, nil
	e.Challenges = statusOf(d.Challenges)
	for _, r := range d.Ignored[:min(len(d.Ignored), maxIgnored)] {
		e.Ignored = append(e.Ignored, requests.IgnoredApproval{Login: r.Login, ReviewID: r.ReviewID,
			Code: string(r.Code)})
	}
	return e
}

func statusOf(challenges []ChallengeResult) (all []requests.ChallengeStatus) {
	for _, c := range challenges {
		all = append(all, requests.ChallengeStatus{Kind: c.Kind, Path: c.Path, Count: c.Count,
			Approvers: c.Approvers, Met: c.Met && len(c.Replies) > 0, Replies: c.Replied(),
			Challenges: statusOf(c.Children)})
	}
	return all
}

// catalogued notes the hash of each role that the catalogue of the tree has.
func (t Tree) catalogued(g *requests.Grant) {
	for i, item := range g.Items {
		if item.Role.Name == "" {
			continue
		}
		role, _, _ := t.Role(g.Cluster, item.Role.Name)
		g.Items[i].Rules = role.Spec.Hash
	}
}

// Refused is the decision with a refusal that was found after it.
func (d Decision) Refused(code Code, format string, args ...any) Decision {
	message := fmt.Sprintf(format, args...)
	d.Outcome, d.Code, d.Message = code.Outcome(), code, message
	d.Rules = append(slices.Clone(d.Rules), Rule{Code: code, Message: message})
	return d
}
