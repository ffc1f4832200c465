package graphql

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// REST answers GraphQL by a REST API of the same GitHub, so that both tell the same state, as late
// and to the same people.
type REST struct {
	Owner, Repo string
	// Get makes a call for whoever asks GraphQL. Each list is on one page.
	Get func(path string) (status int, body []byte)
	// Authors are the GitActors of a commit: its author, and those of its trailers.
	Authors func(commit string) []any
	// Merge is the commit that a pull request was merged as, which REST may not tell; empty: none.
	Merge func(number string) string
}

// untold says that GraphQL does not tell something now, or not to this caller.
func untold(what string) error { return &Refused{Type: "FORBIDDEN", Message: what} }

// get reads one thing; nil when there is none.
func (r REST) get(format string, args ...any) (value any, err error) {
	path := fmt.Sprintf(format, args...)
	status, body := r.Get(path)
	switch {
	case status == http.StatusNotFound || status == http.StatusUnprocessableEntity:
		return nil, nil
	case status == http.StatusNoContent:
		return object{}, nil
	case status != http.StatusOK:
		return nil, untold(fmt.Sprintf("%s: %d", path, status))
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

// all reads a list.
func (r REST) all(path string) ([]any, error) {
	value, err := r.get("%s", path)
	items, _ := value.([]any)
	return items, err
}

// connection is the first page of a list.
func (r REST) connection(items []any, convert func(any) any) object {
	nodes := []any{}
	for _, item := range items[:min(len(items), 100)] {
		nodes = append(nodes, convert(item))
	}
	return object{"nodes": nodes, "totalCount": len(items), "filteredCount": len(items)}
}

// Query is what may be asked at the top.
func (r REST) Query() map[string]any {
	return object{
		"repository": Field(func(arguments map[string]any) (any, error) {
			if arguments["owner"] != r.Owner || arguments["name"] != r.Repo {
				return nil, nil
			}
			return r.repository()
		}),
		"organization": Field(func(arguments map[string]any) (any, error) {
			return r.organization(fmt.Sprint(arguments["login"]))
		}),
		"user": Field(func(arguments map[string]any) (any, error) {
			return r.user(fmt.Sprint(arguments["login"]))
		}),
	}
}

func (r REST) repo(format string, args ...any) string {
	return "/repos/" + r.Owner + "/" + r.Repo + fmt.Sprintf(format, args...)
}

// within is a value within JSON; nil when there is none.
func within(value any, path ...string) any {
	for _, name := range path {
		fields, _ := value.(object)
		value = fields[name]
	}
	return value
}

func (r REST) repository() (any, error) {
	found, err := r.get("%s", r.repo(""))
	if err != nil || found == nil {
		return nil, err
	}
	branch := fmt.Sprint(within(found, "default_branch"))
	return object{"databaseId": within(found, "id"), "name": within(found, "name"),
		"owner": object{"__typename": within(found, "owner", "type"), "login": within(found, "owner", "login")},
		"defaultBranchRef": Field(func(map[string]any) (any, error) {
			ref, err := r.get("%s", r.repo("/git/ref/heads/%s", branch))
			if err != nil || ref == nil {
				return nil, err
			}
			return object{"name": branch, "target": object{"__typename": "Commit",
				"oid": within(ref, "object", "sha")}}, nil
		}),
		"pullRequest": Field(func(arguments map[string]any) (any, error) {
			return r.pull(fmt.Sprint(arguments["number"]))
		}),
		"object": Field(func(arguments map[string]any) (any, error) {
			if oid := arguments["oid"]; oid != nil {
				return r.object(fmt.Sprint(oid))
			}
			return r.expression(fmt.Sprint(arguments["expression"]))
		}),
		"collaborators": Field(func(arguments map[string]any) (any, error) {
			return r.collaborators(fmt.Sprint(arguments["login"]))
		}),
	}, nil
}

// account is an Actor; nil when it is gone.
func account(value any) any {
	login, kind := fmt.Sprint(within(value, "login")), within(value, "type")
	if value == nil || login == "ghost" {
		return nil
	}
	return object{"__typename": kind, "login": strings.TrimSuffix(login, "[bot]"),
		"databaseId": within(value, "id")}
}

// committer is a GitActor, whose account is told of people only.
func committer(value any) object {
	actor := object{"email": "somebody@example.com", "user": nil}
	if within(value, "type") == "User" {
		actor["user"] = account(value)
	}
	return actor
}

func (r REST) pull(number string) (any, error) {
	p, err := r.get("%s", r.repo("/pulls/%s", number))
	if err != nil || p == nil {
		return nil, err
	}
	pull := r.listed(p)
	pull["createdAt"], pull["changedFiles"] = within(p, "created_at"), within(p, "changed_files")
	if pull["additions"] = within(p, "additions"); within(p, "additions") == nil {
		pull["additions"] = 0
	}
	pull["commits"] = r.list(r.repo("/pulls/%s/commits", number), r.commitOf)
	pull["reviews"] = r.list(r.repo("/pulls/%s/reviews", number), func(v any) any {
		review := object{"fullDatabaseId": fmt.Sprint(within(v, "id")), "state": reviewState(within(v, "state")),
			"submittedAt": within(v, "submitted_at"), "author": account(within(v, "user")), "commit": nil}
		if commit := within(v, "commit_id"); commit != nil {
			review["commit"] = object{"oid": commit}
		}
		return review
	})
	pull["timelineItems"] = Field(func(map[string]any) (any, error) {
		events, err := r.all(r.repo("/issues/%s/events?per_page=100", number))
		kinds := map[any]string{"base_ref_changed": "BaseRefChangedEvent",
			"automatic_base_change_succeeded": "AutomaticBaseChangeSucceededEvent", "closed": "ClosedEvent",
			"reopened": "ReopenedEvent", "ready_for_review": "ReadyForReviewEvent"}
		events = slices.DeleteFunc(events, func(v any) bool { return kinds[within(v, "event")] == "" })
		return r.connection(events, func(v any) any {
			return object{"__typename": kinds[within(v, "event")], "createdAt": within(v, "created_at")}
		}), err
	})
	return pull, nil
}

// reviewState is one that GraphQL has a word for.
func reviewState(state any) Field {
	return func(map[string]any) (any, error) {
		switch state {
		case "APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING":
			return state, nil
		}
		return nil, untold("an unknown state")
	}
}

// list is a connection of what REST lists.
func (r REST) list(path string, convert func(any) any) Field {
	return func(map[string]any) (any, error) {
		items, err := r.all(path + "?per_page=100")
		return r.connection(items, convert), err
	}
}

// listed is a pull request as far as lists have it.
func (r REST) listed(p any) object {
	number := fmt.Sprint(within(p, "number"))
	state := map[any]string{"open": "OPEN", "closed": "CLOSED"}[within(p, "state")]
	merge := any(nil)
	if within(p, "merged_at") != nil {
		state = "MERGED"
		if name := r.Merge(number); name != "" {
			merge = r.associated(name)
		}
	}
	draft, _ := within(p, "draft").(bool)
	pull := object{"number": within(p, "number"), "state": state, "isDraft": draft,
		"merged": within(p, "merged_at") != nil, "mergedAt": within(p, "merged_at"), "mergeCommit": merge,
		"updatedAt": within(p, "updated_at"), "baseRefName": within(p, "base", "ref"),
		"headRefName": within(p, "head", "ref"), "headRefOid": within(p, "head", "sha"),
		"author": account(within(p, "user"))}
	for name, end := range map[string]string{"baseRepository": "base", "headRepository": "head"} {
		if pull[name] = any(nil); within(p, end, "repo") != nil {
			pull[name] = object{"databaseId": within(p, end, "repo", "id")}
		}
	}
	return pull
}

func (r REST) commitOf(v any) any {
	parents, _ := within(v, "parents").([]any)
	name := fmt.Sprint(within(v, "sha"))
	return object{"commit": object{"oid": name, "message": within(v, "commit", "message"),
		"parents": object{"totalCount": len(parents)}, "author": committer(within(v, "author")),
		"committer": committer(within(v, "committer")),
		"authors":   r.connection(r.Authors(name), func(v any) any { return v })}}
}

// associated is a commit with the pull requests that GitHub ties it to.
func (r REST) associated(name string) object {
	return object{"__typename": "Commit", "oid": name,
		"associatedPullRequests": r.list(r.repo("/commits/%s/pulls", name),
			func(v any) any { return r.listed(v) })}
}

// expression finds an object as git does: NAME, NAME^, NAME~2, each also followed by :PATH.
func (r REST) expression(text string) (any, error) {
	revision, path, below := strings.Cut(text, ":")
	name, steps, back := strings.Cut(revision, "~")
	count, err := strconv.Atoi(steps)
	if first, ok := strings.CutSuffix(revision, "^"); ok {
		name, count = first, 1
	} else if back && err != nil {
		return nil, err
	}
	for range count {
		c, err := r.get("%s", r.repo("/git/commits/%s", name))
		if err != nil {
			return nil, err
		}
		parents, _ := within(c, "parents").([]any)
		if len(parents) == 0 {
			return nil, nil
		}
		name = fmt.Sprint(within(parents[0], "sha"))
	}
	if !below {
		return r.object(name)
	}
	c, err := r.get("%s", r.repo("/git/commits/%s", name))
	if err != nil || c == nil {
		return nil, err
	}
	name = fmt.Sprint(within(c, "tree", "sha"))
	for base := range strings.SplitSeq(path, "/") {
		tree, err := r.get("%s", r.repo("/git/trees/%s", name))
		if err != nil {
			return nil, err
		}
		entries, _ := within(tree, "tree").([]any)
		i := slices.IndexFunc(entries, func(e any) bool { return within(e, "path") == base })
		if i < 0 {
			return nil, nil
		}
		name = fmt.Sprint(within(entries[i], "sha"))
	}
	return r.object(name)
}
