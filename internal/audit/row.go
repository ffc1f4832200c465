// Package audit is the ledger as people read it: one row a request, the questions that are asked of
// rows, and the forms in which other programs take them. It is pure.
package audit

import (
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

// Row is one request and what became of it, as far as a checkout tells.
type Row struct {
	Name        string        `json:"name"`
	Cluster     string        `json:"cluster"`
	Policy      string        `json:"policy,omitempty"`
	Requester   string        `json:"requester,omitempty"` // GitHub login
	Subject     string        `json:"subject,omitempty"`   // Kubernetes user; empty: not known, or nobody
	Behalf      bool          `json:"behalf,omitempty"`    // the subject is somebody else than the requester
	Namespaces  []string      `json:"namespaces,omitempty"`
	ClusterWide bool          `json:"clusterWide,omitempty"` // it reached every namespace
	Roles       []string      `json:"roles,omitempty"`       // ClusterRoles
	From        requests.Time `json:"from,omitzero"`         // access began; zero: it never did, or not known
	Until       requests.Time `json:"until,omitzero"`        // it was to end
	Ended       requests.Time `json:"ended,omitzero"`        // it did, or was refused; zero: nothing tells of an end
	Cause       string        `json:"cause,omitempty"`       // one of requests.Causes
	Code        string        `json:"code,omitempty"`        // of a refusal
	EndedBy     string        `json:"endedBy,omitempty"`     // words of requests.Person
	Approvers   []string      `json:"approvers,omitempty"`   // GitHub logins
	BreakGlass  bool          `json:"breakGlass,omitempty"`  // access before anybody looked
	PullRequest int           `json:"pullRequest,omitempty"`
	Reason      string        `json:"reason,omitempty"` // anybody's own words
	// Granted is what a commit tells of its beginning; nil: none does.
	Granted  *requests.Granted `json:"granted,omitempty"`
	Commit   string            `json:"commit"` // that brought its file
	Path     string            `json:"path"`
	Entered  requests.Time     `json:"entered"` // the commit's own time
	Proof    requests.Proof    `json:"proof"`
	Evidence string            `json:"evidence,omitempty"`
}

// RowOf is the row of an account. asked is what one that has not ended would give, with its window
// when that is known; nil where nobody can tell.
func RowOf(a ledger.Account, asked *requests.Grant) Row {
	r := Row{Name: a.Name, Cluster: a.Cluster, Commit: a.Commit, Path: a.Path, Entered: a.Entered,
		Proof: a.Proof, Granted: a.Granted}
	if s := a.Spec; s != nil {
		r.Policy, r.Requester, r.Reason = s.Policy, s.Requester, s.Reason
		r.BreakGlass, r.Behalf = s.BreakGlass, s.Subject != nil
		if s.Subject != nil {
			r.Subject = s.Subject.Name
		}
	}
	switch {
	case a.Status != nil:
		r.end(*a.Status)
		if len(r.Namespaces) == 0 && !r.ClusterWide && a.Spec != nil && a.Spec.Namespace != "" {
			r.gives(a.Spec.Namespace, a.Spec.Role) // an older entry names no bindings
		}
	case asked != nil:
		r.From, r.Until = asked.Window.Start, asked.Window.End
		r.Subject = asked.Subject.Name
		for _, i := range asked.Items {
			r.gives(i.Namespace, i.Role.Name)
		}
	case a.Spec != nil:
		r.gives(a.Spec.Namespace, a.Spec.Role)
		r.ClusterWide = false // a request that names no namespace may leave it to its policy
	}
	if a.Status == nil && a.Granted != nil {
		r.begin(*a.Granted)
	}
	return r
}

// begin is what is told of a request that has not ended.
func (r *Row) begin(g requests.Granted) {
	r.From, r.Until, r.PullRequest, r.Proof = g.GrantedAt, g.ExpiresAt, g.PullRequest, g.Proof
	for _, approver := range g.Approvers {
		r.Approvers = append(r.Approvers, approver.Login)
	}
}

func (r *Row) end(s requests.Status) {
	r.Ended, r.Cause, r.Code, r.Evidence = s.RevokedAt, s.Cause, s.Code, s.Evidence
	r.PullRequest = s.PullRequest
	if s.Subject != nil {
		r.Subject = s.Subject.Name
	}
	if s.GrantedAt != nil && s.ExpiresAt != nil {
		r.From, r.Until = *s.GrantedAt, *s.ExpiresAt
	}
	if s.EndedBy != nil {
		r.EndedBy = s.EndedBy.String()
	}
	for _, approver := range s.Approvers {
		r.Approvers = append(r.Approvers, approver.Login)
	}
	for _, ref := range s.GrantRefs {
		if strings.HasSuffix(ref.Kind, "RoleBinding") && ref.Namespace != requests.GrantsNamespace {
			r.gives(ref.Namespace, ref.Role)
		}
	}
}

func (r *Row) gives(namespace, role string) {
	r.ClusterWide = r.ClusterWide || namespace == ""
	for _, in := range []struct {
		list *[]string
		name string
	}{{&r.Namespaces, namespace}, {&r.Roles, role}} {
		if in.name != "" && !slices.Contains(*in.list, in.name) {
			*in.list = append(*in.list, in.name)
		}
	}
}

// Who is the person who had access: the Kubernetes user where the requester asked for somebody
// else, else the requester.
func (r Row) Who() string {
	if r.Behalf || r.Requester == "" {
		return r.Subject
	}
	return r.Requester
}

// Where is the cluster and, where it is known, the part of it.
func (r Row) Where() string {
	switch {
	case r.ClusterWide:
		return r.Cluster + "/*"
	case len(r.Namespaces) == 0:
		return r.Cluster
	}
	return r.Cluster + "/" + strings.Join(r.Namespaces, ",")
}

// How is the cause of the end in words, with who ended it where that is known. It is empty for what
// has not ended.
func (r Row) How() string {
	how := causes[r.Cause]
	if r.Code != "" {
		how += ": " + r.Code
	}
	if r.EndedBy != "" {
		how += " by " + strings.TrimPrefix(r.EndedBy, "@")
	}
	return how
}

// causes has the words for every one of requests.Causes.
var causes = map[string]string{
	requests.CauseExpired:           "expired",
	requests.CauseRelinquished:      "given back",
	requests.CauseRevoked:           "revoked",
	requests.CauseBindingDeleted:    "binding deleted",
	requests.CauseSubjectRemoved:    "person removed",
	requests.CausePolicyChanged:     "policy changed",
	requests.CauseRoleChanged:       "role changed",
	requests.CauseNamespaceReplaced: "namespace replaced",
	requests.CauseExecUsed:          "command used",
	requests.CauseDenied:            "refused",
}
