package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// comment is one that a process wrote on a pull request.
type comment struct {
	cluster, process string
	pull             int
	id               int64
	text             string
}

// commented enters into the history a comment that a call made or changed.
func (h *hub) commented(n *wire, r *http.Request, said *httptest.ResponseRecorder) {
	_, on, found := strings.Cut(r.URL.Path, "/issues/")
	if !found || !strings.Contains(on, "comments") || said.Code >= http.StatusBadRequest {
		return
	}
	var is struct {
		ID       int64  `json:"id"`
		IssueURL string `json:"issue_url"`
		Body     string `json:"body"`
	}
	if err := json.Unmarshal(said.Body.Bytes(), &is); err != nil {
		panic(err)
	}
	pull, err := strconv.Atoi(path.Base(is.IssueURL))
	if err != nil {
		panic(err)
	}
	h.w.note("%s says on #%d: %.60q", n.process, pull, is.Body)
	h.w.add(event{comment: &comment{cluster: n.site.name, process: n.process, pull: pull, id: is.ID,
		text: is.Body}})
}

// toldOf is when the pull request of a request, from a time on, says first what begins so; zero: it does
// not any more.
func (h history) toldOf(a *account, begins string, from time.Time) time.Time {
	says := false
	for _, e := range h {
		if e.comment == nil || e.comment.pull != a.number {
			continue
		}
		if says && e.at.After(from) {
			return from
		}
		if says = strings.HasPrefix(e.comment.heading(), begins); says && !e.at.Before(from) {
			return e.at
		}
	}
	if says {
		return from
	}
	return time.Time{}
}

// mergedWith is when a request was merged, by itself or with another one that its pull request asks for;
// zero: neither was.
func (a *account) mergedWith(all []*account) time.Time {
	for _, b := range all {
		if a.merged.IsZero() && slices.Contains(a.pulls, b.number) && !b.merged.IsZero() {
			return b.merged
		}
	}
	return a.merged
}

// broughtWith are the requests whose files came to main again with the merge of some: after main was set
// back, the branch of a pull request has what it had before.
func (h history) broughtWith(some, all []*account) (others []*account) {
	for _, merge := range h.mergesOf(some) {
		for _, a := range all {
			if merge.changed[a.path] == "A" && !slices.Contains(some, a) {
				others = append(others, a)
			}
		}
	}
	return others
}

// mergesOf are the pushes that merged some requests.
func (h history) mergesOf(some []*account) (all []*push) {
	for _, e := range h {
		if e.push != nil && e.push.cluster == "" && slices.ContainsFunc(some, func(a *account) bool {
			return a.commit == e.push.tip
		}) {
			all = append(all, e.push)
		}
	}
	return all
}

// mergedOver tells whether the merge of some requests changed the file of another one, which came first,
// and a text says that this has the name, or that its entry has, which was there: their branch had it as main
// had before it was set back, or main had it no more.
func (h history) mergedOver(some, all []*account, text string, at time.Time) bool {
	return slices.ContainsFunc(h.mergesOf(some), func(merge *push) bool {
		return slices.ContainsFunc(all, func(a *account) bool {
			by := func(path string) bool {
				return strings.Contains(text, fmt.Sprintf("The name %s is taken by %s of #%d,", a.name, path, a.number))
			}
			entry := by(a.entryOf())
			switch merge.changed[a.path] {
			case "M":
				return entry || by(a.path)
			case "A":
				return entry && !a.entered.IsZero() && a.entered.Before(at)
			}
			return false
		})
	})
}

// broughtBack tells whether a request's file came to main again before a time, when the ledger had an
// entry of it that names no pull request: nobody can tell that it is of the same one.
func (h history) broughtBack(a *account, at time.Time) bool {
	entry, there := h.entry(a)
	return there && entry.Status.PullRequest == 0 && !a.entered.IsZero() && slices.ContainsFunc(h,
		func(e event) bool {
			return e.push != nil && e.push.changed[a.path] == "A" && e.at.After(a.entered) && e.at.Before(at)
		})
}

// neverMade is what is not so of an end that is told of what was announced, and not made.
func (h history) neverMade(a *account, k *knowledge, at time.Time, cause, text string) string {
	switch causes := a.anyCause(h, k, at); {
	case !slices.Contains(causes, cause):
		return fmt.Sprintf("what happened to it is %v", causes)
	case !momentIn(lastedIn, text, 1).Equal(a.start) ||
		!slices.ContainsFunc(a.saidEnds(), momentIn(lastedIn, text, 2).Equal):
		return fmt.Sprintf("its window was from %s to %s", a.start, a.end)
	}
	return h.unnamed(a, text)
}

// momentIn is the time in the n-th part of what is found in a text; zero when none is.
func momentIn(in *regexp.Regexp, text string, n int) time.Time {
	if found := in.FindStringSubmatch(text); found != nil {
		at, _ := time.Parse("2006-01-02 15:04:05 MST", found[n])
		return at
	}
	return time.Time{}
}
