package forge

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// activity is one entry of the repository's activity feed: a ref was moved, by whom.
type activity struct {
	id                       int64
	ref, before, after, kind string
	when                     time.Time
	actor                    *user
}

// moveRef moves a ref (sha empty: deletes it) in the name of a user and lets everything follow from
// it. kind names the activity; empty works it out.
func (f *Forge) moveRef(u *user, ref, sha, kind string) error {
	old := f.git.ref(ref)
	if err := f.git.setRef(ref, sha); err != nil {
		return err
	}
	return f.refMoved(u, ref, old, sha, kind)
}

// refMoved does what GitHub does after a ref changed: feed the activity, move the heads of pull
// requests, mark as merged those whose commits reached their base, close those whose head is gone.
func (f *Forge) refMoved(u *user, ref, old, sha, kind string) error {
	switch {
	case old == sha:
		return nil
	case kind != "":
	case old == "":
		kind = "branch_creation"
	case sha == "":
		kind = "branch_deletion"
	case f.git.contains(sha, old):
		kind = "push"
	default:
		kind = "force_push"
	}
	f.activity = append(f.activity, &activity{f.nextID(), ref, orZero(old), orZero(sha), kind,
		f.now(), u})
	for _, p := range f.pulls {
		if p.state != "open" {
			continue
		}
		if p.headFullRef() == ref {
			if err := f.headMoved(p, u, sha, kind); err != nil {
				return err
			}
		}
	}
	if sha == "" {
		return nil
	}
	for _, p := range f.pulls {
		if p.state == "open" && "refs/heads/"+p.baseRef == ref && f.git.contains(sha, p.headSHA) &&
			!f.git.contains(old, p.headSHA) {
			if err := f.mergedIndirectly(p, u, old, sha, kind == "pr_merge"); err != nil {
				return err
			}
		}
	}
	return nil
}

func orZero(sha string) string {
	if sha == "" {
		return zeroSHA
	}
	return sha
}

// headMoved follows a push to a pull request's branch.
func (f *Forge) headMoved(p *pull, u *user, sha, kind string) error {
	if sha == "" {
		f.event(p, "head_ref_deleted", u, nil)
		f.closePull(p, u)
		return nil
	}
	if kind == "force_push" {
		f.event(p, "head_ref_force_pushed", u, object{"commit_id": sha})
		forced := p.events[len(p.events)-1]
		forced.before, forced.after = p.headSHA, sha
	}
	p.headSHA, p.baseSHA, p.updated = sha, f.git.ref("refs/heads/"+p.baseRef), f.now()
	p.test = testMerge{}
	if f.rules.DismissStale {
		for _, r := range p.reviews {
			if r.state == "APPROVED" {
				f.dismiss(p, r, u, "New changes were pushed")
			}
		}
	}
	return f.git.setRef(fmt.Sprintf("refs/pull/%d/head", p.number), sha)
}

// listActivity pages by cursor: `after` goes to older entries, `before` to newer ones (with
// direction=asc the reverse).
func (f *Forge) listActivity(c *call) answer {
	query := c.URL.Query()
	var entries []*activity
	for _, a := range f.activity {
		if hidden(a.ref) || f.late(a.when, f.manners.ActivityLag) ||
			f.forgotten(a.ref, query.Get("ref") != "") || !matchesRef(query.Get("ref"), a.ref) ||
			query.Get("activity_type") != "" &&
				query.Get("activity_type") != a.kind {
			continue
		}
		if actor := query.Get("actor"); actor != "" && (a.actor == nil || !strings.EqualFold(actor,
			a.actor.login)) {
			continue
		}
		entries = append(entries, a)
	}
	if query.Get("direction") != "asc" {
		slices.Reverse(entries)
	}
	size := f.opts.PageSize
	if n, err := strconv.Atoi(query.Get("per_page")); err == nil && n > 0 {
		size = min(size, n)
	}
	at := func(cursor string) int {
		return slices.IndexFunc(entries, func(a *activity) bool { return cursorOf(a) == cursor })
	}
	start := 0
	if cursor := query.Get("after"); cursor != "" {
		start = at(cursor) + 1
	} else if cursor := query.Get("before"); cursor != "" {
		start = max(0, at(cursor)-size)
	}
	end := min(start+size, len(entries))
	var links []string
	link := func(rel, key, cursor string) {
		q := c.URL.Query()
		q.Del("before")
		q.Del("after")
		q.Set(key, cursor)
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, f.URL, c.URL.EscapedPath(),
			q.Encode(), rel))
	}
	if start > 0 && start < len(entries) {
		link("prev", "before", cursorOf(entries[start]))
	}
	if end < len(entries) {
		link("next", "after", cursorOf(entries[end-1]))
	}
	header := http.Header{}
	if len(links) > 0 {
		header.Set("Link", strings.Join(links, ", "))
	}
	out := []any{}
	for _, a := range entries[start:end] {
		out = append(out, object{"id": a.id, "node_id": fmt.Sprintf("PSH_%d", a.id),
			"before": a.before, "after": a.after, "ref": a.ref,
			"timestamp": stamp(a.when), "activity_type": a.kind, "actor": f.userJSON(a.actor)})
	}
	return answer{http.StatusOK, out, header}
}

// cursorOf is opaque to clients.
func cursorOf(a *activity) string { return "djE6" + strconv.FormatInt(a.id, 36) }

func matchesRef(filter, ref string) bool {
	return filter == "" || filter == ref || "refs/heads/"+filter == ref
}
