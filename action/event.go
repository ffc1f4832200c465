package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
)

// target is what an event asks to judge: pull requests by number, by their head commit, or every
// open one.
type target struct {
	number  int
	headSHA string // to find pull requests by; GitHub may send it with a number too
	all     bool
	due     bool // of all, those whose verdict time may have changed
	queue   bool // the commit is a merge queue's
}

type payload struct {
	PullRequest struct {
		Number int `json:"number"`
		Head   struct {
			SHA string `json:"sha"`
		} `json:"head"`
	} `json:"pull_request"`
	WorkflowRun struct {
		HeadSHA string `json:"head_sha"`
		Event   string `json:"event"`
		// PullRequests are those of branches of this repository; GitHub sends none for a fork's.
		PullRequests []struct {
			Number int `json:"number"`
			Base   struct {
				Repo repository `json:"repo"`
			} `json:"base"`
		} `json:"pull_requests"`
	} `json:"workflow_run"`
	Issue struct {
		Number      int              `json:"number"`
		PullRequest *json.RawMessage `json:"pull_request"` // nil: it is none
	} `json:"issue"`
	Repository repository `json:"repository"`
}

type repository struct {
	ID int64 `json:"id"`
}

// number is that of the first pull request of a workflow run into this repository, and not into one
// that it is a fork of; 0 when the payload names none.
func (p payload) number() int {
	for _, pull := range p.WorkflowRun.PullRequests {
		into := pull.Base.Repo.ID
		if pull.Number > 0 && (into == 0 || p.Repository.ID == 0 || into == p.Repository.ID) {
			return pull.Number
		}
	}
	return 0
}

// errMergeQueue explains why a merge queue cannot work: it tests commits that nobody reviewed
// (R42).
var errMergeQueue = errors.New("merge queues are refused: the queue merges commits that no " +
	"reviewer saw; turn the queue off for this repository")

// isCommit tells whether text is a commit's full name; anything else that a payload calls one
// goes no further.
var isCommit = regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString

// parseEvent reads an event's payload. Only the pull request's number, or a commit to find it by,
// is taken from it: everything that decides is asked of the API again.
func parseEvent(name string, data []byte) (target, error) {
	if name == "merge_group" {
		return target{}, errMergeQueue
	}
	switch name {
	case "push":
		return target{all: true}, nil
	case "schedule", "repository_dispatch":
		return target{all: true, due: true}, nil
	}
	var p payload
	if err := json.Unmarshal(data, &p); err != nil {
		return target{}, fmt.Errorf("read the payload of the event %q: %w", name, err)
	}
	switch name {
	case "pull_request", "pull_request_target", "pull_request_review":
		if sha := p.PullRequest.Head.SHA; p.PullRequest.Number > 0 && (sha == "" || isCommit(sha)) {
			return target{number: p.PullRequest.Number, headSHA: sha}, nil
		}
	case "issue_comment": // a call for a review
		if p.Issue.Number > 0 && p.Issue.PullRequest != nil {
			return target{number: p.Issue.Number}, nil
		}
	case "workflow_run":
		if isCommit(p.WorkflowRun.HeadSHA) {
			return target{number: p.number(), headSHA: p.WorkflowRun.HeadSHA,
				queue: p.WorkflowRun.Event == "merge_group"}, nil
		}
	default:
		return target{}, fmt.Errorf("the event %q is not one of pull_request_target, "+
			"pull_request, pull_request_review, issue_comment, workflow_run, push, schedule, "+
			"repository_dispatch", name)
	}
	return target{}, fmt.Errorf("the payload of the event %q names no pull request or commit", name)
}

// maxPayload bounds an event's payload, in bytes; GitHub's own limit for webhooks is 25 MB.
const maxPayload = 32 << 20

func readEvent(getenv func(string) string) (target, error) {
	file, err := os.Open(getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return target{}, fmt.Errorf("open the event's payload (GITHUB_EVENT_PATH): %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPayload))
	if err != nil {
		return target{}, fmt.Errorf("read the event's payload: %w", err)
	}
	return parseEvent(getenv("GITHUB_EVENT_NAME"), data)
}
