package forge

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pullgrant/pullgrant/testdata/forge/graphql"
)

var trailer = regexp.MustCompile(`(?im)^co-authored-by:([^<\n]*)<([^<>]*)>`)

func (q asking) pull(p *pull) object {
	graph := object{"id": p.nodeID(), "fullDatabaseId": strconv.FormatInt(p.id, 10),
		"databaseId": id32(p.id), "number": p.number, "title": p.title, "body": p.body,
		"url": p.htmlURL(q.Forge), "state": strings.ToUpper(p.state), "isDraft": p.draft,
		"merged": p.merged, "createdAt": stamp(p.created), "updatedAt": stamp(p.updated),
		"closedAt": stamp(p.closed), "mergedAt": stamp(p.mergedAt), "mergeCommit": nil,
		"baseRefName": p.baseRef, "baseRefOid": p.baseSHA, "baseRepository": q.named(nil),
		"headRefName": p.headRef, "headRefOid": p.headSHA, "headRepository": q.named(p.fork),
		"isCrossRepository": p.fork != nil, "author": q.account(p.author), "autoMergeRequest": nil,
		"changedFiles": q.counted(p, func(fileChange) int { return 1 }),
		"additions":    q.counted(p, func(c fileChange) int { return c.Additions }),
		"deletions":    q.counted(p, func(c fileChange) int { return c.Deletions }),
		"files": window(func(object) ([]fileChange, error) {
			return q.git.diff(q.diffBase(p), p.headSHA)
		}, func(c fileChange) any {
			return object{"path": c.Path, "additions": c.Additions, "deletions": c.Deletions}
		}),
		"commits": graphql.Field(func(arguments object) (any, error) {
			return q.commits(p, arguments)
		}),
		"reviews": listed(q, q.reviews(p), func(r *review) any { return q.review(r) }),
		"timelineItems": graphql.Field(func(arguments object) (any, error) {
			return q.timeline(p, arguments)
		}),
	}
	if p.merged {
		graph["state"] = "MERGED"
		graph["mergeCommit"] = graphql.Field(func(object) (any, error) { return q.commit(p.mergeSHA) })
	}
	if p.auto != nil {
		graph["autoMergeRequest"] = object{"enabledAt": stamp(p.auto.when),
			"mergeMethod": strings.ToUpper(p.auto.method), "enabledBy": q.account(p.auto.by)}
	}
	return graph
}

// counted sums up over the files that a pull request changes.
func (q asking) counted(p *pull, count func(fileChange) int) graphql.Field {
	return func(object) (any, error) {
		changes, err := q.git.diff(q.diffBase(p), p.headSHA)
		sum := 0
		for _, change := range changes {
			sum += count(change)
		}
		return sum, err
	}
}

// commits are at most 250, as with REST; their count is true.
func (q asking) commits(p *pull, arguments object) (any, error) {
	shas := q.pullCommits(p)
	found, err := connection(q, arguments, shas[:min(len(shas), 250)], func(sha string) any {
		return object{"commit": q.commitNode(sha)}
	})
	if err != nil {
		return nil, err
	}
	found["totalCount"] = len(shas)
	return found, nil
}

func (q asking) reviews(p *pull) func(object) ([]*review, error) {
	return func(arguments object) ([]*review, error) {
		states, author := words(arguments, "states"), text(arguments, "author")
		return slices.DeleteFunc(p.reviewsFor(q.call.who), func(r *review) bool {
			return states != nil && !slices.Contains(states, r.state) ||
				author != "" && (r.author.deleted || !strings.EqualFold(r.author.login, author))
		}), nil
	}
}

func (q asking) review(r *review) object {
	graph := object{"id": "PRR_" + strconv.FormatInt(r.id, 10),
		"fullDatabaseId": strconv.FormatInt(r.id, 10), "databaseId": id32(r.id), "state": r.state,
		"body": r.body, "submittedAt": stamp(r.submitted), "author": q.account(r.author),
		"includesCreatedEdit": r.editor != nil, "editor": nil, "lastEditedAt": nil,
		"commit": graphql.Field(func(object) (any, error) { return q.commit(r.commit) })}
	if r.editor != nil {
		graph["editor"], graph["lastEditedAt"] = q.account(r.editor), stamp(r.edited)
	}
	return graph
}

// timelineNames are an event's names of the timeline: its type, and that as an argument has it.
func timelineNames(kind string) (typename, argument string) {
	if kind == "renamed" {
		kind = "renamed_title"
	}
	for word := range strings.SplitSeq(kind, "_") {
		typename += strings.ToUpper(word[:1]) + word[1:]
	}
	return typename + "Event", strings.ToUpper(kind) + "_EVENT"
}

// timeline has the events of a pull request. GitHub counts all of them, and apart those of the types
// that are asked for.
func (q asking) timeline(p *pull, arguments object) (any, error) {
	types := words(arguments, "itemTypes")
	events := slices.DeleteFunc(slices.Clone(p.events), func(e *event) bool {
		_, argument := timelineNames(e.kind)
		return types != nil && !slices.Contains(types, argument)
	})
	found, err := connection(q, arguments, events, func(e *event) any {
		typename, _ := timelineNames(e.kind)
		return object{"__typename": typename, "createdAt": stamp(e.when), "actor": q.account(e.actor),
			"beforeCommit": graphql.Field(func(object) (any, error) { return q.commit(e.before) }),
			"afterCommit":  graphql.Field(func(object) (any, error) { return q.commit(e.after) })}
	})
	if err != nil {
		return nil, err
	}
	found["totalCount"], found["filteredCount"] = len(p.events), len(events)
	return found, nil
}

// pullsList are those of some states, in the order of their numbers or their updates. One that was
// merged shows at once.
func (q asking) pullsList(arguments object) ([]*pull, error) {
	states := words(arguments, "states")
	found := slices.DeleteFunc(slices.Clone(q.pulls), func(p *pull) bool {
		state := strings.ToUpper(p.state)
		if p.merged {
			state = "MERGED"
		}
		base, head := text(arguments, "baseRefName"), text(arguments, "headRefName")
		return !p.merged && q.late(p.created, q.manners.ListLag) ||
			p.merged && q.late(p.mergedAt, q.manners.MergedLag) ||
			states != nil && !slices.Contains(states, state) ||
			base != "" && p.baseRef != base || head != "" && p.headRef != head
	})
	order, _ := arguments["orderBy"].(object)
	slices.SortStableFunc(found, func(a, b *pull) int {
		if order["direction"] == "DESC" {
			a, b = b, a
		}
		if order["field"] == "UPDATED_AT" {
			return a.updated.Compare(b.updated)
		}
		return cmp.Compare(a.number, b.number)
	})
	return found, nil
}
