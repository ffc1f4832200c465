package checks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
)

// maxTicket bounds what a tracker tells of a ticket, whose text may be long.
const maxTicket = 1 << 20

// tracker is how one kind of tracker is asked about a ticket, and what it means by an answer.
type tracker struct {
	// address is under the challenge's.
	address func(project, name string) (path string, query url.Values)
	header  http.Header
	// open reads the answer of a status 200: whether the ticket is open, or why it is not.
	open func(body []byte, name string) (bool, string, error)
}

var trackers = map[string]tracker{
	// https://docs.atlassian.com/software/jira/docs/api/REST/latest/#issue-getIssue
	policies.Jira: {
		address: func(_, name string) (string, url.Values) {
			return "rest/api/2/issue/" + name, url.Values{"fields": {"status"}}
		},
		open: func(body []byte, name string) (bool, string, error) {
			var issue struct {
				Key    string `json:"key"`
				Fields struct {
					Status struct {
						StatusCategory struct {
							Key string `json:"key"`
						} `json:"statusCategory"`
					} `json:"status"`
				} `json:"fields"`
			}
			if err := read(body, &issue); err != nil {
				return false, "", err
			}
			switch category := issue.Fields.Status.StatusCategory.Key; {
			case issue.Key != name: // it was moved to another project
				return false, "", fmt.Errorf("it told of %q", issue.Key)
			case category == "new" || category == "indeterminate":
				return true, "", nil
			case category == "done":
				return false, "it is done", nil
			default:
				return false, "", fmt.Errorf("it told of no status (%q)", category)
			}
		},
	},
	// https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
	policies.ServiceNow: {
		address: func(table, name string) (string, url.Values) {
			return "api/now/table/" + table, url.Values{"sysparm_query": {"number=" + name},
				"sysparm_fields": {"number,active"}, "sysparm_limit": {"2"}}
		},
		open: func(body []byte, name string) (bool, string, error) {
			var table struct {
				Result *[]struct {
					Number string `json:"number"`
					Active string `json:"active"`
				} `json:"result"`
			}
			if err := read(body, &table); err != nil {
				return false, "", err
			}
			switch {
			case table.Result == nil:
				return false, "", errors.New("it told of no records")
			case len(*table.Result) == 0:
				return false, noSuch, nil
			case len(*table.Result) > 1 || (*table.Result)[0].Number != name:
				return false, "", errors.New("it told of other tickets")
			}
			switch (*table.Result)[0].Active {
			case "true":
				return true, "", nil
			case "false":
				return false, "it is not active", nil
			}
			return false, "", errors.New("it did not tell whether the ticket is active")
		},
	},
	// https://docs.github.com/rest/issues/issues#get-an-issue
	policies.GitHubIssues: {
		address: func(repository, name string) (string, url.Values) {
			return "repos/" + repository + "/issues/" + name, nil
		},
		header: http.Header{"Accept": {"application/vnd.github+json"},
			"X-Github-Api-Version": {"2022-11-28"}},
		open: func(body []byte, name string) (bool, string, error) {
			var issue struct {
				Number      int64     `json:"number"`
				State       string    `json:"state"`
				PullRequest *struct{} `json:"pull_request"`
			}
			if err := read(body, &issue); err != nil {
				return false, "", err
			}
			switch {
			case fmt.Sprint(issue.Number) != name:
				return false, "", fmt.Errorf("it told of #%d", issue.Number)
			case issue.PullRequest != nil:
				return false, "it is a pull request", nil
			case issue.State == "open":
				return true, "", nil
			case issue.State == "closed":
				return false, "it is closed", nil
			}
			return false, "", fmt.Errorf("it told of no state (%q)", issue.State)
		},
	},
}

const noSuch = "there is no such ticket, or the token may not see it"

// read reads the part of an answer that is of use; names of fields are as they are written.
func read(body []byte, into any) error {
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body, into); err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	return nil
}

// ticket asks a tracker whether the ticket of a challenge is open.
func (k asker) ticket(ctx context.Context, a policies.Asking) policies.Reply {
	open, why, err := k.askTracker(ctx, a)
	if why == noSuch && a.Merged { // a token that ran out tells so too, and No is for good then
		err = errors.New(noSuch)
	}
	switch {
	case err != nil:
		return inquire.Unknown(err)
	case open:
		return policies.Reply{Verdict: policies.Yes}
	}
	return policies.Reply{Verdict: policies.No, Text: why}
}

func (k asker) askTracker(ctx context.Context, a policies.Asking) (open bool, why string, err error) {
	c := a.Challenge
	t, known := trackers[c.Tracker]
	name, named := a.Ticket()
	if !known || !named {
		return false, "", errors.New("it is asked about no ticket")
	}
	path, query := t.address(c.Project, name)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/"+path, nil)
	if err != nil {
		return false, "", fmt.Errorf("ask the tracker: %w", err)
	}
	r.URL.RawQuery = query.Encode()
	r.Header.Set("Accept", "application/json")
	for field := range t.header {
		r.Header.Set(field, t.header.Get(field))
	}
	r.Header.Set("User-Agent", userAgent)
	k.authorize(r)
	answer, err := k.client.Do(r, maxTicket)
	if err != nil {
		return false, "", err
	}
	switch answer.Status {
	case http.StatusOK:
		return t.open(answer.Body, name)
	case http.StatusNotFound, http.StatusGone:
		return false, noSuch, nil
	}
	return false, "", fmt.Errorf("%s answered %d", r.URL.Host, answer.Status)
}

// authorize adds the token of the host, if there is one. The client calls no host that is not listed,
// nor anything but https.
func (k asker) authorize(r *http.Request) {
	token := k.env(EnvToken(r.URL.Hostname()))
	if user, password, basic := strings.Cut(token, ":"); basic {
		r.SetBasicAuth(user, password)
	} else if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
}
