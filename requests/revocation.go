package requests

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Revocation is the end of a grant as the ledger keeps it: the request with the status the agent
// wrote. A request that could not be read has no spec.
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
	RefusedBy    *Refuser   `yaml:"refusedBy,omitempty" json:"refusedBy,omitempty"` // before any merge
	EndedBy      *Person    `yaml:"endedBy,omitempty" json:"endedBy,omitempty"`     // absent: nobody, or not known
	PullRequest  int        `yaml:"pullRequest,omitempty" json:"pullRequest,omitempty"`
	HeadSHA      string     `yaml:"headSHA,omitempty" json:"headSHA,omitempty"`
	MergeCommit  string     `yaml:"mergeCommit,omitempty" json:"mergeCommit,omitempty"`
	PolicyCommit string     `yaml:"policyCommit,omitempty" json:"policyCommit,omitempty"`
	Issue        int        `yaml:"issue,omitempty" json:"issue,omitempty"` // where break-glass is answered for
	Approvers    []Approver `yaml:"approvers,omitempty" json:"approvers,omitempty"`

	Challenges []ChallengeStatus `yaml:"challenges,omitempty" json:"challenges,omitempty"`
	Ignored    []IgnoredApproval `yaml:"ignored,omitempty" json:"ignored,omitempty"`
	// Digest of the file at FactsPath; empty when none is kept
	Facts     string     `yaml:"facts,omitempty" json:"facts,omitempty"`
	GrantRefs []GrantRef `yaml:"grantRefs,omitempty" json:"grantRefs,omitempty"`
	Uses      *Uses      `yaml:"uses,omitempty" json:"uses,omitempty"` // absent: none was told of
}

// Person is a GitHub account that did something by a pull request of theirs. The number is the
// account's for good, the login is what it was called then. The zero Person is nobody.
type Person struct {
	Login       string `yaml:"login,omitempty" json:"login,omitempty"` // empty: it is no person's, as those of Apps
	ID          int64  `yaml:"id,omitempty" json:"id,omitempty"`       // 0: the account is gone
	PullRequest int    `yaml:"pullRequest" json:"pullRequest"`
}

// PersonOf is the author of a pull request. A login that is none of a person's is left out: it goes
// into files and messages that hold nothing else.
func PersonOf(login string, id int64, pullRequest int) Person {
	if CheckLogin(login) != "" {
		login = ""
	}
	return Person{Login: login, ID: id, PullRequest: pullRequest}
}

// String is the person for people, empty when there is none. Nothing in it is anybody's own words.
func (p Person) String() string {
	switch {
	case p == Person{}:
		return ""
	case p.ID == 0:
		return fmt.Sprintf("an account that is gone, in #%d", p.PullRequest)
	case p.Login == "":
		return fmt.Sprintf("account %d in #%d", p.ID, p.PullRequest)
	}
	return fmt.Sprintf("@%s in #%d", p.Login, p.PullRequest)
}

// Refuser is who refused a request for ever, and how.
type Refuser struct {
	Login    string `yaml:"login" json:"login"`
	ID       int64  `yaml:"id" json:"id"`
	ReviewID int64  `yaml:"reviewID" json:"reviewID"`
	Time     Time   `yaml:"time" json:"time"`
	// Words is an Excerpt of what the review says, and anybody's own words.
	Words string `yaml:"words,omitempty" json:"words,omitempty"`
}

// GrantRef is one object that a grant created, and whether it is gone.
type GrantRef struct {
	Kind      string `yaml:"kind" json:"kind"`
	Namespace string `yaml:"namespace" json:"namespace"`
	Name      string `yaml:"name" json:"name"`
	Role      string `yaml:"role,omitempty" json:"role,omitempty"`   // the ClusterRole it gave
	Rules     string `yaml:"rules,omitempty" json:"rules,omitempty"` // hash of its rules in the catalogue
	// Container is the one that was decided for a command
	Container string `yaml:"container,omitempty" json:"container,omitempty"`
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
	CauseExecUsed          = "ExecUsed"
	CauseDenied            = "Denied"
)

// Causes lists every cause a ledger entry may carry.
var Causes = []string{CauseExpired, CauseRelinquished, CauseRevoked, CauseBindingDeleted,
	CauseSubjectRemoved, CausePolicyChanged,
	CauseRoleChanged, CauseNamespaceReplaced, CauseExecUsed, CauseDenied}

// ByAPerson tells whether an end by this cause is the doing of a person whom GitHub knows. Who
// deletes or edits something in the cluster only its own audit log tells.
func ByAPerson(cause string) bool {
	return slices.Contains([]string{CauseRelinquished, CauseRevoked, CauseSubjectRemoved,
		CausePolicyChanged}, cause)
}

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

// RevocationFormat is the format of a ledger entry.
var RevocationFormat = Format{
	Kind: KindAccessRequest,
	About: "The end of a request as the agent records it. Stands at " +
		"revocations/<cluster>/<yyyymmdd>/<name>.yaml.",
	Name:   requestName,
	Fields: revocationFields.With(SpecFields, useFields),
}

var (
	formCode     = Form{Rule: "code", Pattern: CodePattern, Check: CheckCode}
	formEvidence = OneOf("evidence", EvidenceGitHub, EvidenceBranch)
)

var revocationFields = HeaderFields("Revocation",
	"The request. Absent when it could not be read.").With(Fields{
	"Revocation.status": {About: "What became of the request. Written by the agent."},
}, statusFields)

var statusFields = Fields{
	"Status.state":   {About: "How the request ended.", Form: OneOf("state", endStates()...)},
	"Status.cause":   {About: "Why it ended.", Form: OneOf("cause", Causes...)},
	"Status.code":    {About: "Of a refusal: the rule that refused."},
	"Status.path":    {About: "Where the request stood."},
	"Status.subject": {About: "Who received access."},
	"Status.evidence": {About: "What the grant rests on: approvals proved through GitHub, " +
		"or the branch taken at its word.", Form: formEvidence},
	"Status.grantedAt": {About: "Start of the window."},
	"Status.expiresAt": {About: "End of the window."},
	"Status.revokedAt": {About: "When it ended."},
	"Status.endedBy": {About: "Who ended it: the author of the pull request that withdrew or " +
		"removed the request, or changed its policy. Absent when nobody did, or it is not known."},
	"Status.refusedBy": {About: "Who refused it for ever: they could have approved it, requested changes, and " +
		"that stood when it was closed without a merge."},
	"Status.pullRequest":  number("Number of the pull request."),
	"Status.headSHA":      {About: "Head commit that was reviewed."},
	"Status.mergeCommit":  {About: "Commit that brought the request to main."},
	"Status.policyCommit": {About: "Commit whose policies judged it last."},
	"Status.issue": number("Number of the issue in which break-glass is answered for. Absent when " +
		"there was none yet, or no need of one."),
	"Status.approvers":  {About: "Whose reviews counted."},
	"Status.challenges": {About: "Conditions on approvals, as they were found."},
	"Status.ignored":    {About: "Approvals that did not count, the first 50."},
	"Status.facts": {About: "Digest of the file beside this one that keeps what the " +
		"request was judged by.", Form: FormDigest},
	"Status.grantRefs": {About: "Objects the grant created."},
	"Status.uses": {About: "How its commands were used, as the API server's audit log told the " +
		"agent: nothing else proves it. Absent when nothing was told."},

	"Approver.login":    {About: "GitHub login.", Form: FormLogin},
	"Approver.id":       number("Number of the GitHub account."),
	"Approver.reviewID": number("Number of the review."),
	"Approver.time":     {About: "When the review was submitted."},
	"Approver.narrowed": {About: "What the review left of what was asked for. Absent: all of it."},
	"Approver.words": {About: "Beginning of what else the review said, in its writer's own words. " +
		"Told where the policy lets reviews narrow."},

	"Refuser.login":    {About: "GitHub login.", Form: FormLogin},
	"Refuser.id":       number("Number of the GitHub account."),
	"Refuser.reviewID": number("Number of the review."),
	"Refuser.time":     {About: "When the review was submitted."},
	"Refuser.words":    {About: "Beginning of what the review said, in its writer's own words."},

	"Person.login":       {About: "GitHub login. Absent when it is no person's.", Form: FormLogin},
	"Person.id":          number("Number of the GitHub account. Absent when that is gone."),
	"Person.pullRequest": number("Number of the pull request."),

	"ChallengeStatus.kind":      {About: "Kind of the condition."},
	"ChallengeStatus.path":      {About: "Of a code owner's review: the file they own."},
	"ChallengeStatus.count":     number("Approvals needed, or challenges of it that had to be met."),
	"ChallengeStatus.approvers": {About: "GitHub logins of those whose approval counted for it."},
	"ChallengeStatus.met": {About: "Of one that somebody outside of GitHub is asked about: whether they " +
		"met it."},
	"ChallengeStatus.replies":    {About: "What they replied."},
	"ChallengeStatus.challenges": {About: "What it is made of."},

	"IgnoredApproval.login":    {About: "GitHub login; ghost when the account was deleted."},
	"IgnoredApproval.reviewID": number("Number of the review."),
	"IgnoredApproval.code": {About: "Why it did not count, as in docs/rules.md.",
		Form: formCode},

	"GrantRef.kind":      {About: "Kind of the object."},
	"GrantRef.namespace": {About: "Namespace of the object."},
	"GrantRef.name":      {About: "Name of the object."},
	"GrantRef.role":      {About: "ClusterRole that it gave."},
	"GrantRef.rules": {About: "Digest of the role's rules as the catalogue showed them to " +
		"the approvers. Absent when it did not.", Form: FormDigest},
	"GrantRef.container": {About: "Container in which its command ran, where the request names none.",
		Form: FormName},
	"GrantRef.uid": {About: "UID of the object in the cluster."},
	"GrantRef.state": {About: "Created, or Reclaimed once it is gone.", Form: OneOf("state",
		ObjectCreated, ObjectReclaimed)},
}

// number is a field that counts from 1.
func number(about string) Field {
	return Field{About: about, Min: 1, Rule: "number", Says: "it must be 1 or more"}
}

// endStates are the states that some cause leads to.
func endStates() []string {
	var states []string
	for _, cause := range Causes {
		states = append(states, StateOf(cause))
	}
	return slices.Compact(slices.Sorted(slices.Values(states)))
}

// CodePattern is the form of a rule's code, CheckCode tells what is wrong with one.
const CodePattern = `^[A-Z][A-Za-z]{0,62}$`

var codePattern = regexp.MustCompile(CodePattern)

// CheckCode tells what is wrong with a rule's code; empty when nothing is.
func CheckCode(s string) string {
	if codePattern.MatchString(s) {
		return ""
	}
	return "it must be a code of docs/rules.md, such as NoPolicy"
}

// ParseRevocation reads one ledger file strictly.
func ParseRevocation(path string, data []byte) (Revocation, []Finding) {
	const maxSize = 64 << 10
	r, d := Decode[Revocation](path, data, maxSize)
	if len(d.Findings) > 0 {
		return r, d.Findings
	}
	d.Conform(RevocationFormat, r)
	if want := StateOf(r.Status.Cause); slices.Contains(Causes, r.Status.Cause) &&
		r.Status.State != want {
		d.Check("status.state", "state", r.Status.State, "with this cause it is "+want)
	}
	if r.Status.EndedBy != nil && !ByAPerson(r.Status.Cause) {
		d.Add("status.endedBy", "ended-by", "nobody is known to end access by this cause")
	}
	if r.Spec != nil {
		d.CheckSpec("spec", *r.Spec)
	}
	if place, ok := SplitRevocationPath(path); !ok {
		d.Add("", "path", "a ledger entry stands at %s/<cluster>/<yyyymmdd>/<name>.yaml",
			RevocationsFolder)
	} else {
		d.agree("metadata.name", r.Metadata.Name, "file name", place.Name)
		if r.Spec != nil {
			d.agree("spec.cluster", r.Spec.Cluster, "cluster folder", place.Cluster)
		}
	}
	SortFindings(d.Findings)
	return r, d.Findings
}

// Marshal writes the ledger file. The same revocation always gives the same bytes, so two writers
// make the same blob.
func (r Revocation) Marshal() ([]byte, error) { return Marshal(r) }

// Marshal writes the request file, without comments.
func (r AccessRequest) Marshal() ([]byte, error) { return Marshal(r) }

// Marshal writes a file of one of the formats, without comments. The same value always gives the same
// bytes.
func Marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), encoder.Close()
}
