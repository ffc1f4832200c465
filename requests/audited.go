package requests

// KindAudited is what an audit prints of each request as JSON and YAML.
const KindAudited = "Audited"

// Audited is what a checkout tells about one request: what was asked and, once it began or ended,
// what came of it.
type Audited struct {
	Name    string `yaml:"name" json:"name"`
	Cluster string `yaml:"cluster" json:"cluster"`
	// Path is the file's: under requests/ until it ended, then under revocations/. Commit is the one
	// that brought it to the branch as it is, and Entered that commit's own time, which its author
	// chose.
	Path    string `yaml:"path" json:"path"`
	Commit  string `yaml:"commit" json:"commit"`
	Entered Time   `yaml:"entered" json:"entered"`
	// nil: the request could not be read
	Spec *RequestSpec `yaml:"spec,omitempty" json:"spec,omitempty"`
	// nil: no commit tells that access began
	Granted *Granted `yaml:"granted,omitempty" json:"granted,omitempty"`
	// nil: it waits for the agent or is live
	Status *Status `yaml:"status,omitempty" json:"status,omitempty"`
	Proof  Proof   `yaml:"proof" json:"proof"`
	Doubt  string  `yaml:"doubt,omitempty" json:"doubt,omitempty"` // why it is Unproven
}

// Granted is what a commit of the agent's tells of access that began. It changes no file.
type Granted struct {
	Commit      string `yaml:"commit" json:"commit"`
	Proof       Proof  `yaml:"proof" json:"proof"` // Signed or Unchecked: what is Unproven tells of nothing
	GrantedAt   Time   `yaml:"grantedAt" json:"grantedAt"`
	ExpiresAt   Time   `yaml:"expiresAt" json:"expiresAt"`
	PullRequest int    `yaml:"pullRequest,omitempty" json:"pullRequest,omitempty"`
	MergeCommit string `yaml:"mergeCommit,omitempty" json:"mergeCommit,omitempty"`
	Approvers   []User `yaml:"approvers,omitempty" json:"approvers,omitempty"`
}

// User is a GitHub account.
type User struct {
	Login string `yaml:"login" json:"login"`
	ID    int64  `yaml:"id" json:"id"`
}

// Proof is how far what a checkout tells can be trusted.
type Proof string

// Proofs.
const (
	NotEnded  Proof = "none"      // a request: nothing is claimed yet that a signature could prove
	Unchecked Proof = "unchecked" // no signers were given
	Signed    Proof = "signed"    // the commit carries the signature of the cluster's agent
	Unproven  Proof = "unproven"  // it does not: anybody could have written it
)

// AuditFormat is the format of what an audit prints of each request.
var AuditFormat = Format{Kind: KindAudited,
	About: "What \"pullgrant audit\" prints of each request: as JSON and YAML a list of these, as JSON " +
		"Lines one a line. Times are RFC 3339 in UTC.",
	Fields: auditedFields.With(statusFields, SpecFields, useFields),
}

var auditedFields = Fields{
	"Audited.name":    {About: "Name of the request, unique for ever in its repository."},
	"Audited.cluster": {About: "Cluster to get access to."},
	"Audited.path": {About: "Where its file stands: below requests/ until it ended, then in the " +
		"ledger."},
	"Audited.commit":  {About: "Commit that brought the file to the branch as it is.", Form: formCommit},
	"Audited.entered": {About: "The commit's own time, which its author chose."},
	"Audited.spec":    {About: "The request. Absent when it could not be read."},
	"Audited.granted": {About: "That access began, as a commit tells that changes no file. Absent when " +
		"none does: it has not begun, ended before it could be told, or an older agent gave it."},
	"Audited.status": {About: "What became of the request, as the ledger has it. Absent when it has " +
		"not ended."},
	"Audited.proof": {About: "Whether the commit that brought a ledger entry is signed by the agent of " +
		"its cluster. unchecked: no --allowed-signers. none: it has not ended.",
		Form: OneOf("proof", string(NotEnded), string(Unchecked), string(Signed), string(Unproven))},
	"Audited.doubt": {About: "Why it is unproven."},

	"Granted.commit": {About: "Commit that tells so.", Form: formCommit},
	"Granted.proof": {About: "Whether it is signed by the agent of the cluster. What is not, tells of " +
		"nothing. unchecked: no --allowed-signers.",
		Form: OneOf("proof", string(Unchecked), string(Signed))},
	"Granted.grantedAt":   {About: "Start of the window."},
	"Granted.expiresAt":   {About: "End of the window."},
	"Granted.pullRequest": number("Number of the pull request."),
	"Granted.mergeCommit": {About: "Commit that brought the request to main.", Form: formCommit},
	"Granted.approvers":   {About: "Whose reviews counted."},

	"User.login": {About: "GitHub login.", Form: FormLogin},
	"User.id":    number("Number of the GitHub account."),
}

var formCommit = Form{Rule: "commit", Pattern: "^[0-9a-f]{40}$"}
