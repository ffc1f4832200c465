package forge

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
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

// graphQL answers queries out of the state that the REST calls tell of, and three mutations:
// enablePullRequestAutoMerge, markPullRequestReadyForReview, convertPullRequestToDraft, whose
// arguments may be written in the query or come as variables. Whatever GitHub's schema does not have
// is refused.
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
	points, nodes, err := o.Cost()
	if refused := (*graphql.Refused)(nil); errors.As(err, &refused) {
		return ok(object{"errors": []any{refused.Problem()}})
	}
	if strings.Contains(in.Query, "followRenames") && f.waits() {
		return graphQLError("repository", "FORBIDDEN", "Resource not accessible by integration")
	}
	b := f.budget(c.who)
	if b.used+points > f.opts.Points {
		return answer{http.StatusOK, object{"errors": []any{object{"type": "RATE_LIMITED",
			"message": "API rate limit already exceeded for " + c.who.login() + "."}}},
			b.header(f.opts.Points)}
	}
	b.used += points
	a := f.answerGraph(asking{f, c}, o, in.Query+" "+flattenVariables(in.Variables),
		object{"cost": points, "nodeCount": nodes})
	a.header = b.header(f.opts.Points)
	return a
}

func (f *Forge) answerGraph(q asking, o *graphql.Operation, text string, cost object) answer {
	mutations := map[string]func(*call, *pull, string) string{
		"enablePullRequestAutoMerge":    f.enableAutoMerge,
		"markPullRequestReadyForReview": f.markReady,
		"convertPullRequestToDraft":     f.markDraft,
	}
	for _, name := range o.Fields() {
		mutate := mutations[name]
		if mutate == nil {
			continue
		}
		for _, p := range f.pulls {
			if p.nodeID() != pullRequestID.FindString(text) {
				continue
			}
			if problem := mutate(q.call, p, text); problem != "" {
				return graphQLError(name, "UNPROCESSABLE", problem)
			}
			return f.graph(o, object{name: object{"clientMutationId": nil,
				"pullRequest": q.pull(p)}})
		}
		return graphQLError(name, "NOT_FOUND",
			"Could not resolve to a node with the global id of '"+
				pullRequestID.FindString(text)+"'")
	}
	return f.graph(o, q.query(cost))
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
	data, problems, err := o.Answer(value)
	if err != nil {
		f.contract.Violation("GraphQL: %v", err)
		return fault(err)
	}
	body := object{"data": data}
	if len(problems) > 0 {
		body["errors"] = problems
	}
	return ok(body)
}

func (f *Forge) enableAutoMerge(c *call, p *pull, text string) string {
	f.tryMerge(p)
	expected := headOID.FindStringSubmatch(text)
	switch {
	case !f.canWrite(c):
		return "You're not authorized to enable auto-merge for this pull request."
	case f.setup.NoAutoMerge:
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
