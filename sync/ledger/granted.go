package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
)

const grantedEvent = "Pullgrant-Event: granted"

// GrantedMessage is that of a commit which changes no file and tells that grants began: in words of
// the same vocabulary, and with trailers of the same form, as Message tells that they ended.
func GrantedMessage(cluster string, records []plan.Record) string {
	var subject string
	var lines, trailers []string
	for _, r := range records {
		g := r.Grant
		subject = "Grant " + g.Name
		lines = append(lines, fmt.Sprintf("%s; granted from %s to %s.", askedFor(g), g.Window.Start,
			g.Window.End))
		trailers = append(trailers, grantedEvent, "Pullgrant-Request: "+g.Path)
		trailers = append(trailers, origin(g)...)
		trailers = append(trailers, window(g)...)
		trailers = append(trailers, approvals(g)...)
	}
	if len(records) > 1 {
		subject = fmt.Sprintf("Grant %d requests of %s", len(records), cluster)
		for i, r := range records {
			lines[i] = r.Grant.Name + "\n  " + lines[i]
		}
	}
	return paragraphs(subject, lines, trailers)
}

// telling is what a commit says of one grant that began.
type telling struct {
	requests.Granted
	path   string // of the request; empty: it cannot be read
	commit git.Commit
	doubt  string // why it may not be believed, whoever signed it; empty: nothing speaks against it
}

// tellings reads the grants whose beginning a commit tells of. before is its first parent. Trailers
// that the agent does not write are one without a path.
func tellings(c, before git.Commit) (all []telling) {
	if !strings.Contains(c.Message, grantedEvent) {
		return nil
	}
	text := strings.TrimRight(c.Message, "\n")
	lines := trailers(strings.Split(text[strings.LastIndex(text, "\n\n")+1:], "\n"))
	if lines[0] == "" {
		lines = lines[1:]
	}
	if !slices.Contains(lines, grantedEvent) {
		return nil
	}
	doubt := ""
	if len(c.Parents) != 1 || c.Tree != before.Tree {
		doubt = "it changes files, as no commit of the agent does that tells of a beginning"
	}
	for len(lines) > 0 {
		t, err := lines.telling()
		if err != nil {
			return []telling{{commit: c, doubt: err.Error()}}
		}
		t.Commit, t.commit, t.doubt = c.Hash, c, doubt
		all = append(all, t)
	}
	return all
}

// trailers are the lines of some that were not read yet.
type trailers []string

// next takes the value of a trailer when it is the next one.
func (t *trailers) next(key string) (value string, ok bool) {
	if len(*t) == 0 {
		return "", false
	}
	if value, ok = strings.CutPrefix((*t)[0], key+": "); ok {
		*t = (*t)[1:]
	}
	return value, ok
}

// telling reads those of one grant.
func (t *trailers) telling() (one telling, err error) {
	malformed := func(what string) (telling, error) {
		return telling{}, errors.New("its trailers are not those of the agent: " + what)
	}
	if event, ok := t.next("Pullgrant-Event"); !ok || event != "granted" {
		return malformed("Pullgrant-Event")
	}
	one.path, _ = t.next("Pullgrant-Request")
	if _, ok := requests.SplitPath(one.path); !ok {
		return malformed("Pullgrant-Request")
	}
	if number, ok := t.next("Pullgrant-Pull-Request"); ok {
		if one.PullRequest, err = strconv.Atoi(number); err != nil || one.PullRequest < 1 {
			return malformed("Pullgrant-Pull-Request")
		}
	}
	if commit, ok := t.next("Pullgrant-Merge-Commit"); ok {
		if one.MergeCommit = commit; !git.IsHash(commit) {
			return malformed("Pullgrant-Merge-Commit")
		}
	}
	from, _ := t.next("Pullgrant-Granted-At")
	until, _ := t.next("Pullgrant-Expires-At")
	if err := errors.Join(one.GrantedAt.UnmarshalText([]byte(from)),
		one.ExpiresAt.UnmarshalText([]byte(until))); err != nil ||
		!one.GrantedAt.Before(one.ExpiresAt.Time) {
		return malformed("Pullgrant-Granted-At, Pullgrant-Expires-At")
	}
	for {
		by, ok := t.next("Approved-by")
		if !ok {
			return one, nil
		}
		login, id, _ := strings.Cut(strings.TrimSuffix(by, ")"), " (")
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil || requests.CheckLogin(login) != "" {
			return malformed("Approved-by")
		}
		one.Approvers = append(one.Approvers, requests.User{Login: login, ID: number})
	}
}

// problem is why nobody is to believe it; empty when it is by the agent of the request's cluster.
// Without signers nobody knows whose it is.
func (t telling) problem(signers *git.AllowedSigners) string {
	if t.doubt != "" || signers == nil {
		return t.doubt
	}
	place, _ := requests.SplitPath(t.path)
	if err := git.VerifyCommit(t.commit.Raw, signers, place.Cluster); err != nil {
		return err.Error()
	}
	return ""
}

// Began are the requests whose beginning a commit tells of, by their paths. before is its first
// parent. What is not by the agent of their cluster tells of nothing; without signers nobody knows.
func Began(c, before git.Commit, signers *git.AllowedSigners) (paths []string) {
	for _, t := range tellings(c, before) {
		if t.problem(signers) == "" {
			paths = append(paths, t.path)
		}
	}
	return paths
}

// began notes what is told of the beginning: by the first commit that can be believed.
func (a *Account) began(told map[string][]telling, signers *git.AllowedSigners) {
	for _, t := range slices.Backward(told[a.asked()]) {
		if t.problem(signers) != "" {
			continue
		}
		t.Proof = requests.Unchecked
		if signers != nil {
			t.Proof = requests.Signed
		}
		a.Granted = &t.Granted
		return
	}
}

// asked is where the request stands, or stood.
func (a *Account) asked() string {
	if a.Status != nil {
		return a.Status.Path
	}
	return a.Path
}
