package forge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge/graphql"
)

// autoMerge is a pull request's wish to be merged as soon as the rules allow it.
type autoMerge struct {
	by     *user
	method string // merge or squash
	when   time.Time
}

func (f *Forge) autoMergeJSON(p *pull) any {
	if p.auto == nil {
		return nil
	}
	return object{"enabled_by": f.ghostJSON(p.auto.by), "merge_method": p.auto.method,
		"commit_title": "", "commit_message": ""}
}

// autoMerge merges what waits for it and may now be merged. Every call ends with it, as GitHub does
// it on events.
func (f *Forge) autoMerge() {
	for _, p := range f.pulls {
		if p.auto == nil || p.state != "open" || p.draft {
			continue
		}
		if f.tryMerge(p); p.test.clean && len(f.unmet(p)) == 0 {
			if err := f.merge(p, p.auto.by, p.auto.method, "", ""); err != nil {
				f.contract.Violation("auto-merge of %d: %v", p.number, err)
			}
		}
	}
}

var (
	pullRequestID = regexp.MustCompile(`PR_[0-9]+`)
	headOID       = regexp.MustCompile(`expectedHeadOid:\s*"([0-9a-f]{40})"`)
)

// graphQL knows the query for the viewer, which an App's installation may ask too, unlike GET
// /user; one for pull requests of the repository; and three mutations: enablePullRequestAutoMerge,
// markPullRequestReadyForReview, convertPullRequestToDraft. Their arguments may be written in the
// query or come as variables. Whatever GitHub's schema does not have is refused.
func (f *Forge) graphQL(c *call) answer {
	var in struct {
		Query     string
		Variables object
	}
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.UseNumber()
	if decoder.Decode(&in) != nil || in.Query == "" {
		return refuse(400, "Problems parsing JSON")
	}
	o, err := graphql.Parse(in.Query, in.Variables)
	if err != nil {
		return ok(object{"errors": []any{object{"message": err.Error()}}})
	}
	if fields := o.Fields(); slices.Contains(fields, "viewer") {
		return f.graph(o, object{"viewer": object{"login": c.who.login(),
			"databaseId": c.who.user.id}})
	} else if slices.Contains(fields, "repository") {
		read := need{right: "pull_requests:read", role: "read"}
		if a := f.authorise(c.who, read, c.Request); a.status != 0 {
			return graphQLError("repository", "FORBIDDEN", "Resource not accessible by integration")
		}
		return f.graph(o, object{"repository": f.repositoryGraph(o)})
	}
	text := in.Query + " " + flattenVariables(in.Variables)
	mutations := map[string]func(*call, *pull, string) string{
		"enablePullRequestAutoMerge":    f.enableAutoMerge,
		"markPullRequestReadyForReview": f.markReady,
		"convertPullRequestToDraft":     f.markDraft,
	}
	for name, mutate := range mutations {
		if !strings.Contains(in.Query, name) {
			continue
		}
		for _, p := range f.pulls {
			if p.nodeID() != pullRequestID.FindString(text) {
				continue
			}
			if problem := mutate(c, p, text); problem != "" {
				return graphQLError(name, "UNPROCESSABLE", problem)
			}
			return f.graph(o, object{name: object{"clientMutationId": nil,
				"pullRequest": f.pullGraph(p, false)}})
		}
		return graphQLError(name, "NOT_FOUND",
			"Could not resolve to a node with the global id of '"+
				pullRequestID.FindString(text)+"'")
	}
	return graphQLError("", "undefinedField", "The forge does not know this query")
}

// flattenVariables writes variables as arguments would be written, so that one reading serves both.
func flattenVariables(value any) string {
	fields, isObject := value.(object)
	if !isObject {
		return ""
	}
	var b strings.Builder
	for name, v := range fields {
		if s, isString := v.(string); isString {
			b.WriteString(name + `: "` + s + `" `)
		}
		b.WriteString(flattenVariables(v))
	}
	return b.String()
}

func graphQLError(path, kind, message string) answer {
	return ok(object{"data": object{path: nil}, "errors": []any{object{"type": kind,
		"path": []any{path}, "message": message}}})
}

// graph answers what an operation asks for.
func (f *Forge) graph(o *graphql.Operation, value object) answer {
	data, err := o.Answer(value)
	if err != nil {
		f.contract.Violation("GraphQL: %v", err)
		return fault(err)
	}
	return ok(object{"data": data})
}

// repositoryGraph has the pull requests that were merged, latest update first, and any one by
// number.
func (f *Forge) repositoryGraph(o *graphql.Operation) any {
	if o.Argument("owner", "repository") != f.opts.Owner ||
		o.Argument("name", "repository") != f.opts.Repo {
		return nil
	}
	withFiles := o.Argument("first", "repository", "pullRequests", "nodes", "files") != nil
	merged := slices.DeleteFunc(slices.Clone(f.pulls), func(p *pull) bool { return !p.merged })
	slices.SortStableFunc(merged, func(a, b *pull) int { return b.updated.Compare(a.updated) })
	nodes := []any{}
	for _, p := range merged[:min(len(merged), 100)] {
		nodes = append(nodes, f.pullGraph(p, withFiles))
	}
	one := any(nil)
	number := fmt.Sprint(o.Argument("number", "repository", "pullRequest"))
	for _, p := range f.pulls {
		if number == strconv.Itoa(p.number) {
			graph := f.pullGraph(p, false)
			graph["commits"] = f.commitsGraph(p, o)
			one = graph
		}
	}
	return object{"pullRequests": object{"nodes": nodes, "totalCount": len(merged)},
		"pullRequest": one}
}

var trailer = regexp.MustCompile(`(?im)^co-authored-by:.*<([^<>]*)>`)

// commitsGraph is a page of a pull request's commits, with the authors whom GitHub shows: that of
// the commit and those of its trailers. A cursor is how many came before.
func (f *Forge) commitsGraph(p *pull, o *graphql.Operation) any {
	at := []string{"repository", "pullRequest", "commits"}
	shas := f.pullCommits(p)
	after, _ := strconv.Atoi(fmt.Sprint(o.Argument("after", at...)))
	size, err := strconv.Atoi(fmt.Sprint(o.Argument("first", at...)))
	if err != nil {
		return nil // nobody asks for them
	}
	after = min(after, len(shas))
	end := min(after+min(size, f.opts.PageSize), len(shas))
	nodes := []any{}
	for _, sha := range shas[after:end] {
		nodes = append(nodes, object{"commit": object{"oid": sha,
			"authors": object{"nodes": f.authorsGraph(sha)}}})
	}
	return object{"nodes": nodes, "pageInfo": object{"hasNextPage": end < len(shas),
		"endCursor": strconv.Itoa(end)}}
}

// authorsGraph is whom GitHub shows as the authors of a commit.
func (f *Forge) authorsGraph(sha string) []any {
	commit, err := f.git.commit(sha)
	if err != nil {
		return nil
	}
	emails := []string{commit.Author.Email}
	for _, m := range trailer.FindAllStringSubmatch(commit.Message, -1) {
		emails = append(emails, m[1])
	}
	authors := []any{}
	for _, email := range emails {
		author := object{"email": email, "user": nil}
		if u := f.byEmail(email); u != nil {
			author["user"] = object{"databaseId": u.id, "login": u.login}
		}
		authors = append(authors, author)
	}
	return authors
}

func (f *Forge) pullGraph(p *pull, withFiles bool) object {
	graph := object{"id": p.nodeID(), "number": p.number, "isDraft": p.draft, "url": p.htmlURL(f),
		"state": strings.ToUpper(p.state), "autoMergeRequest": nil, "mergeCommit": nil}
	if p.merged {
		graph["state"], graph["mergeCommit"] = "MERGED", object{"oid": p.mergeSHA}
	}
	if withFiles {
		files := []any{}
		changes, err := f.git.diff(f.diffBase(p), p.headSHA)
		for _, change := range changes {
			files = append(files, object{"path": change.Path})
		}
		if err == nil {
			graph["files"] = object{"totalCount": len(files), "nodes": files[:min(len(files), 100)]}
		}
	}
	if p.auto != nil {
		graph["autoMergeRequest"] = object{"enabledAt": stamp(p.auto.when),
			"mergeMethod": strings.ToUpper(p.auto.method), "enabledBy": f.userJSON(p.auto.by)}
	}
	return graph
}

func (f *Forge) enableAutoMerge(c *call, p *pull, text string) string {
	f.tryMerge(p)
	expected := headOID.FindStringSubmatch(text)
	switch {
	case !f.canWrite(c):
		return "You're not authorized to enable auto-merge for this pull request."
	case f.opts.NoAutoMerge:
		return "Pull request Auto merge is not allowed for this repository"
	case p.state != "open":
		return "Pull request is closed"
	case expected != nil && expected[1] != p.headSHA:
		return "Head sha did not match"
	case f.mergeableState(p) == "clean":
		return "Pull request Pull request is in clean status"
	}
	method := "merge"
	if strings.Contains(text, "SQUASH") {
		method = "squash"
	}
	p.auto = &autoMerge{c.who.user, method, f.now()}
	f.event(p, "auto_merge_enabled", c.who.user, nil)
	return ""
}

func (f *Forge) canWrite(c *call) bool {
	if c.who.app != nil {
		return c.who.app.may("pull_requests:write")
	}
	return atLeast(f.role(c.who.user), "write")
}

func (f *Forge) markReady(c *call, p *pull, _ string) string {
	if p.draft {
		p.draft, p.updated = false, f.now()
		f.event(p, "ready_for_review", c.who.user, nil)
	}
	return ""
}

func (f *Forge) markDraft(c *call, p *pull, _ string) string {
	if !p.draft {
		p.draft, p.updated = true, f.now()
		f.event(p, "convert_to_draft", c.who.user, nil)
	}
	return ""
}
