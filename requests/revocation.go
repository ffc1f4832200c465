package requests

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Revocation is the end of a grant as the ledger keeps it: the request with the status the agent wrote. A request that
// could not be read has no spec.
type Revocation struct {
	APIVersion string       `yaml:"apiVersion" json:"apiVersion"`
	Kind       string       `yaml:"kind" json:"kind"`
	Metadata   Metadata     `yaml:"metadata" json:"metadata"`
	Spec       *RequestSpec `yaml:"spec,omitempty" json:"spec,omitempty"`
	Status     Status       `yaml:"status" json:"status"`
}

// Status is what became of a request.
type Status struct {
	State        string     `yaml:"state" json:"state"`
	Cause        string     `yaml:"cause" json:"cause"`
	Code         string     `yaml:"code,omitempty" json:"code,omitempty"` // of a refusal
	Path         string     `yaml:"path" json:"path"`                     // where the request stood
	Subject      *Subject   `yaml:"subject,omitempty" json:"subject,omitempty"`
	Evidence     string     `yaml:"evidence" json:"evidence"`
	GrantedAt    *Time      `yaml:"grantedAt,omitempty" json:"grantedAt,omitempty"`
	ExpiresAt    *Time      `yaml:"expiresAt,omitempty" json:"expiresAt,omitempty"`
	RevokedAt    Time       `yaml:"revokedAt" json:"revokedAt"`
	PullRequest  int        `yaml:"pullRequest,omitempty" json:"pullRequest,omitempty"`
	HeadSHA      string     `yaml:"headSHA,omitempty" json:"headSHA,omitempty"`
	MergeCommit  string     `yaml:"mergeCommit,omitempty" json:"mergeCommit,omitempty"`
	PolicyCommit string     `yaml:"policyCommit,omitempty" json:"policyCommit,omitempty"`
	Approvers    []Approver `yaml:"approvers,omitempty" json:"approvers,omitempty"`

	Challenges []ChallengeStatus `yaml:"challenges,omitempty" json:"challenges,omitempty"`
	Ignored    []IgnoredApproval `yaml:"ignored,omitempty" json:"ignored,omitempty"`
	Facts      string            `yaml:"facts,omitempty" json:"facts,omitempty"` // Digest of the file at FactsPath; empty when none is kept
	GrantRefs  []GrantRef        `yaml:"grantRefs,omitempty" json:"grantRefs,omitempty"`
}

// GrantRef is one object that a grant created, and whether it is gone.
type GrantRef struct {
	Kind      string `yaml:"kind" json:"kind"`
	Namespace string `yaml:"namespace" json:"namespace"`
	Name      string `yaml:"name" json:"name"`
	Role      string `yaml:"role,omitempty" json:"role,omitempty"`   // the ClusterRole it gave
	Rules     string `yaml:"rules,omitempty" json:"rules,omitempty"` // hash of the role's rules in the catalogue
	UID       string `yaml:"uid" json:"uid"`
	State     string `yaml:"state" json:"state"` // Created or Reclaimed
}

// States of a request, of a grant's objects, and causes of an end are closed lists.
const (
	StatePending      = "Pending"
	StateDenied       = "Denied"
	StateAccepted     = "Accepted"
	StateExpired      = "Expired"
	StateRelinquished = "Relinquished"
	StateRevoked      = "Revoked"

	ObjectCreated   = "Created"
	ObjectReclaimed = "Reclaimed"

	CauseExpired           = "Expired"
	CauseRelinquished      = "Relinquished"
	CauseRevoked           = "Revoked"
	CauseBindingDeleted    = "BindingDeleted"
	CauseSubjectRemoved    = "SubjectRemoved"
	CausePolicyChanged     = "PolicyChanged"
	CauseRoleChanged       = "RoleChanged"
	CauseNamespaceReplaced = "NamespaceReplaced"
	CauseDenied            = "Denied"
)

// Causes lists every cause a ledger entry may carry.
var Causes = []string{CauseExpired, CauseRelinquished, CauseRevoked, CauseBindingDeleted, CauseSubjectRemoved, CausePolicyChanged,
	CauseRoleChanged, CauseNamespaceReplaced, CauseDenied}

// StateOf is the state a person sees for an end by cause.
func StateOf(cause string) string {
	switch cause {
	case CauseExpired:
		return StateExpired
	case CauseRelinquished:
		return StateRelinquished
	case CauseDenied:
		return StateDenied
	}
	return StateRevoked
}

// ParseRevocation reads one ledger file strictly.
func ParseRevocation(path string, data []byte) (Revocation, []Finding) {
	const maxSize = 64 << 10
	r, d := Decode[Revocation](path, data, maxSize)
	if len(d.Findings) > 0 {
		return r, d.Findings
	}
	d.Require("apiVersion", "kind", "metadata.name", "status.state", "status.cause", "status.path", "status.revokedAt")
	if r.APIVersion != APIVersion {
		d.Check("apiVersion", "api-version", r.APIVersion, "allowed: "+APIVersion)
	}
	if r.Kind != KindAccessRequest {
		d.Check("kind", "kind", r.Kind, "here it must be "+KindAccessRequest)
	}
	if !slices.Contains(Causes, r.Status.Cause) {
		d.Check("status.cause", "cause", r.Status.Cause, fmt.Sprintf("allowed: %v", Causes))
	} else if want := StateOf(r.Status.Cause); r.Status.State != want {
		d.Check("status.state", "state", r.Status.State, "with this cause it is "+want)
	}
	if place, ok := SplitRevocationPath(path); !ok {
		d.Add("", "path", "a ledger entry stands at %s/<cluster>/<yyyymmdd>/<name>.yaml", RevocationsFolder)
	} else {
		d.agree("metadata.name", r.Metadata.Name, "file name", place.Name)
		if r.Spec != nil {
			d.agree("spec.cluster", r.Spec.Cluster, "cluster folder", place.Cluster)
		}
	}
	SortFindings(d.Findings)
	return r, d.Findings
}

// Marshal writes the ledger file. The same revocation always gives the same bytes, so two writers make the same blob.
func (r Revocation) Marshal() ([]byte, error) { return marshal(r) }

// Marshal writes the request file, without comments.
func (r AccessRequest) Marshal() ([]byte, error) { return marshal(r) }

func marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), encoder.Close()
}
