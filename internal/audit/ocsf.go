package audit

import (
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Event is an event of OCSF 1.5.0, class User Access Management (3005): privileges of a user that
// were assigned or revoked (https://schema.ocsf.io/1.5.0/classes/user_access).
type Event struct {
	ActivityID   int            `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	CategoryUID  int            `json:"category_uid"`
	CategoryName string         `json:"category_name"`
	ClassUID     int            `json:"class_uid"`
	ClassName    string         `json:"class_name"`
	TypeUID      int            `json:"type_uid"`
	Time         int64          `json:"time"` // milliseconds since 1970
	SeverityID   int            `json:"severity_id"`
	Severity     string         `json:"severity"`
	StatusID     int            `json:"status_id"`
	Status       string         `json:"status"`
	StatusCode   string         `json:"status_code,omitempty"` // cause of an end, or code of a refusal
	Message      string         `json:"message"`
	User         eventUser      `json:"user"`
	Privileges   []string       `json:"privileges"`
	Resources    []resource     `json:"resources"`
	Metadata     metadata       `json:"metadata"`
	Unmapped     map[string]any `json:"unmapped"`
}

type eventUser struct {
	Name string `json:"name"` // Kubernetes user; of a refusal that names none, the GitHub login
}

type resource struct {
	Type string `json:"type"`
	Name string `json:"name"`
	UID  string `json:"uid"`
}

type metadata struct {
	Version        string  `json:"version"`
	Product        product `json:"product"`
	UID            string  `json:"uid"`
	CorrelationUID string  `json:"correlation_uid"` // the request's name, the same in all of its events
	LogName        string  `json:"log_name"`
}

type product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

const (
	assign, revoke    = 1, 2
	success, failure  = 1, 2
	informational     = 1
	medium            = 3
	userAccess, iam   = 3005, 3
	ocsfVersion       = "1.5.0"
	activitiesPerType = 100 // of type_uid
)

// Events are what happened to a row, in the order of time: that access began and that it ended, or
// that it was refused. Of a request that has not ended there is none before its agent told that it
// began: nobody signed for anything yet.
func (r Row) Events() (all []Event) {
	if r.Ended.IsZero() {
		if r.Granted != nil {
			all = append(all, r.event(assign, r.From, "given", ""))
		}
		return all
	}
	if r.From.IsZero() {
		e := r.event(assign, r.Ended, "refused", r.Code)
		e.StatusID, e.Status = failure, "Failure"
		return []Event{e}
	}
	return []Event{r.event(assign, r.From, "given", ""), r.event(revoke, r.Ended, r.How(), r.Cause)}
}

func (r Row) event(activity int, at requests.Time, what, code string) Event {
	e := Event{ActivityID: activity, ActivityName: "Assign Privileges", CategoryUID: iam,
		CategoryName: "Identity & Access Management", ClassUID: userAccess,
		ClassName: "User Access Management", TypeUID: userAccess*activitiesPerType + activity,
		Time: at.UnixMilli(), SeverityID: informational, Severity: "Informational",
		StatusID: success, Status: "Success", StatusCode: code,
		Message: "Access of " + r.Who() + " on " + r.Where() + ": " + what,
		User:    eventUser{r.Subject}, Privileges: r.Roles,
		Metadata: metadata{Version: ocsfVersion, LogName: r.Path, CorrelationUID: r.Name,
			UID:     r.Cluster + "/" + r.Name + "/assign",
			Product: product{Name: "pullgrant", VendorName: "pullgrant"}},
		Unmapped: map[string]any{"policy": r.Policy, "requester": r.Requester, "reason": r.Reason, "commit": r.Commit,
			"proof": r.Proof, "approvers": strings.Join(r.Approvers, " "),
			"pull_request": r.PullRequest, "break_glass": r.BreakGlass},
	}
	if r.Subject == "" {
		e.User = eventUser{r.Requester}
	}
	if e.Privileges == nil {
		e.Privileges = []string{}
	}
	if activity == revoke {
		e.ActivityName, e.Metadata.UID = "Revoke Privileges", r.Cluster+"/"+r.Name+"/revoke"
		e.Unmapped["ended_by"] = strings.TrimPrefix(r.EndedBy, "@")
	} else if r.BreakGlass {
		e.SeverityID, e.Severity = medium, "Medium"
	}
	for _, namespace := range r.Namespaces {
		e.Resources = append(e.Resources, resource{"Kubernetes namespace", namespace,
			r.Cluster + "/" + namespace})
	}
	if r.ClusterWide || len(r.Namespaces) == 0 {
		e.Resources = append(e.Resources, resource{"Kubernetes cluster", r.Cluster, r.Cluster})
	}
	return e
}
