package forge

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// checkRun is a check run: reported by an App for one commit.
type checkRun struct {
	id                             int64
	app                            *app
	name, head, status, conclusion string
	detailsURL, externalID         string
	title, summary, text           string
	annotations                    []any
	started, completed             time.Time
	hasOutput                      bool
}

// checkInput is the body of both writes; nil means "not given".
type checkInput struct {
	Name        *string
	HeadSHA     string     `json:"head_sha"`
	DetailsURL  *string    `json:"details_url"`
	ExternalID  *string    `json:"external_id"`
	Status      *string    `json:"status"`
	Conclusion  *string    `json:"conclusion"`
	StartedAt   *time.Time `json:"started_at"`
	CompletedAt *time.Time `json:"completed_at"`
	Output      *struct {
		Title, Summary, Text string
		Annotations          []any
	}
}

// apply puts the fields that were given over the run: "providing a conclusion sets the status to
// completed", and annotations are added to those already there.
func (run *checkRun) apply(in checkInput, now time.Time) {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&run.name, in.Name)
	set(&run.detailsURL, in.DetailsURL)
	set(&run.externalID, in.ExternalID)
	set(&run.status, in.Status)
	if run.status != "completed" {
		run.conclusion, run.completed = "", time.Time{}
	}
	if in.Conclusion != nil {
		run.status, run.conclusion, run.completed = "completed", *in.Conclusion, now
	}
	if in.StartedAt != nil {
		run.started = *in.StartedAt
	}
	if in.CompletedAt != nil {
		run.completed = *in.CompletedAt
	}
	if in.Output != nil {
		run.hasOutput, run.title, run.summary, run.text = true, in.Output.Title, in.Output.Summary,
			in.Output.Text
		run.annotations = append(run.annotations, in.Output.Annotations...)
	}
}

func (f *Forge) checkJSON(run *checkRun) any {
	nullable := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	url := f.repoURL(fmt.Sprintf("/check-runs/%d", run.id))
	output := object{"title": nil, "summary": nil, "text": nil,
		"annotations_count": len(run.annotations), "annotations_url": url + "/annotations"}
	if run.hasOutput {
		output["title"], output["summary"], output["text"] = run.title, run.summary,
			nullable(run.text)
	}
	return object{"id": run.id, "node_id": fmt.Sprintf("CR_%d", run.id), "name": run.name,
		"head_sha": run.head, "status": run.status, "conclusion": nullable(run.conclusion),
		"details_url": nullable(run.detailsURL), "external_id": run.externalID,
		"started_at": stamp(run.started), "completed_at": stamp(run.completed),
		"url": url, "html_url": f.URL + "/" + f.fullName() + fmt.Sprintf("/runs/%d", run.id),
		"output": output, "app": f.appJSON(run.app), "check_suite": object{"id": run.app.id}}
}

func (f *Forge) createCheck(c *call) answer {
	var in checkInput
	if c.who.app == nil {
		return forbidden("You must authenticate via a GitHub App.")
	}
	if !c.into(&in) || in.Name == nil || *in.Name == "" {
		return invalid(object{"resource": "CheckRun", "field": "name", "code": "missing_field"})
	}
	head, err := f.git.resolve(in.HeadSHA, "commit")
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+in.HeadSHA)
	}
	run := &checkRun{id: f.nextID(), app: c.who.app, head: head, status: "queued", started: f.now()}
	run.apply(in, f.now())
	f.checks = append(f.checks, run)
	return created(f.checkJSON(run))
}

func (f *Forge) checkRun(c *call) *checkRun {
	for _, run := range f.checks {
		if run.id == c.number("check_run_id") {
			return run
		}
	}
	return nil
}

func (f *Forge) updateCheck(c *call) answer {
	run := f.checkRun(c)
	var in checkInput
	switch {
	case run == nil:
		return notFound()
	case run.app != c.who.app: // an App may change its own runs only
		return forbidden("Invalid app_id `" + c.who.login() + "` - check run can only be " +
			"modified by the GitHub App that created it.")
	case !c.into(&in):
		return invalid()
	}
	run.apply(in, f.now())
	return ok(f.checkJSON(run))
}

func (f *Forge) getCheck(c *call) answer {
	run := f.checkRun(c)
	if run == nil {
		return notFound()
	}
	return ok(f.checkJSON(run))
}

// listChecks answers, newest first, the runs of a commit; filter=latest (the default) keeps one per
// App and name.
func (f *Forge) listChecks(c *call) answer {
	sha := f.findCommit(c.PathValue("ref"))
	if sha == "" {
		return refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+
			c.PathValue("ref"))
	}
	query := c.URL.Query()
	type key struct{ app, name string }
	seen := map[key]bool{}
	var runs []*checkRun
	for _, run := range slices.Backward(f.checks) {
		k := key{run.app.slug, run.name}
		if run.head != sha || query.Get("filter") != "all" && seen[k] ||
			query.Get("check_name") != "" && query.Get("check_name") != run.name ||
			query.Get("app_id") != "" && query.Get("app_id") != fmt.Sprint(run.app.id) ||
			query.Get("status") != "" && query.Get("status") != run.status {
			continue
		}
		seen[k] = true
		runs = append(runs, run)
	}
	out, header := page(f, c, runs, f.checkJSON)
	return answer{http.StatusOK, object{"total_count": len(runs), "check_runs": out}, header}
}

// Annotation is one annotation of a check run.
type Annotation struct {
	Path      string
	StartLine int
	Level     string // notice, warning or failure
	Message   string
}

// Check is one check run, for tests to look at.
type Check struct {
	ID                                           int64
	App, Name, HeadSHA, Status, Conclusion       string
	Title, Summary, Text, ExternalID, DetailsURL string
	Annotations                                  []Annotation
}

func (f *Forge) createDispatch(c *call) answer {
	var in struct {
		EventType string `json:"event_type"`
	}
	if !c.into(&in) || in.EventType == "" {
		return invalid()
	}
	f.events = append(f.events, in.EventType)
	return noContent()
}

// Dispatched lists the types of every repository dispatch event so far.
func (f *Forge) Dispatched() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.events)
}

// Checks lists every check run so far, oldest first.
func (f *Forge) Checks() []Check {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Check
	for _, run := range f.checks {
		c := Check{run.id, run.app.slug, run.name, run.head, run.status, run.conclusion, run.title,
			run.summary, run.text, run.externalID, run.detailsURL, nil}
		for _, a := range run.annotations {
			fields, _ := a.(object)
			path, _ := fields["path"].(string)
			line, _ := fields["start_line"].(float64)
			level, _ := fields["annotation_level"].(string)
			message, _ := fields["message"].(string)
			c.Annotations = append(c.Annotations, Annotation{path, int(line), level, message})
		}
		out = append(out, c)
	}
	return out
}

// commitStatus is a commit status: anyone who can write may set it.
type commitStatus struct {
	id                               int64
	sha, context, state, description string
	target                           *string // an address; nil when none was given
	creator                          *user
	when                             time.Time
}

func (f *Forge) statusJSON(s *commitStatus) any {
	return object{"id": s.id, "node_id": fmt.Sprintf("SC_%d", s.id),
		"state": s.state, "context": s.context, "description": s.description,
		"target_url": s.target, "url": f.repoURL("/statuses/" + s.sha),
		"creator": f.userJSON(s.creator), "created_at": stamp(s.when), "updated_at": stamp(s.when)}
}

func (f *Forge) createStatus(c *call) answer {
	var in struct {
		State, Context, Description string
		TargetURL                   *string `json:"target_url"`
	}
	sha, err := f.git.resolve(c.PathValue("sha"), "commit")
	if err != nil || !c.into(&in) {
		return refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+
			c.PathValue("sha"))
	}
	if in.Context == "" {
		in.Context = "default"
	}
	s := &commitStatus{f.nextID(), sha, in.Context, in.State, in.Description, in.TargetURL,
		c.who.user, f.now()}
	f.statuses = append(f.statuses, s)
	return created(f.statusJSON(s))
}

func (f *Forge) statusesOf(sha string) []*commitStatus {
	var found []*commitStatus
	for _, s := range slices.Backward(f.statuses) {
		if s.sha == sha {
			found = append(found, s)
		}
	}
	return found
}

func (f *Forge) listStatuses(c *call) answer {
	return list(f, c, f.statusesOf(f.findCommit(c.PathValue("ref"))), f.statusJSON)
}

// combinedStatus: failure if any newest status failed, pending if one is or there is none, else
// success.
func (f *Forge) combinedStatus(c *call) answer {
	sha := f.findCommit(c.PathValue("ref"))
	if sha == "" {
		return notFound()
	}
	var latest []*commitStatus
	state := "success"
	for _, s := range f.statusesOf(sha) {
		if slices.ContainsFunc(latest,
			func(x *commitStatus) bool { return x.context == s.context }) {
			continue
		}
		latest = append(latest, s)
		switch {
		case s.state == "failure" || s.state == "error":
			state = "failure"
		case s.state == "pending" && state == "success":
			state = "pending"
		}
	}
	if len(latest) == 0 {
		state = "pending"
	}
	out, header := page(f, c, latest, f.statusJSON)
	return answer{http.StatusOK, object{"state": state, "sha": sha, "total_count": len(latest),
		"statuses": out, "repository": f.repositoryJSON(nil)}, header}
}
