package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Debt is what is owed for access that was given before anybody looked at it, as the agent notes it
// in the ledger once that is over. The file is there as long as it is owed.
type Debt struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       DebtSpec          `yaml:"spec" json:"spec"`
}

// KindDebt is the kind of a debt's file.
const KindDebt = "BreakGlassDebt"

// DebtSpec is whose debt it is, and who answers for it.
type DebtSpec struct {
	Cluster     string           `yaml:"cluster" json:"cluster"`
	Policy      string           `yaml:"policy" json:"policy"`
	Requester   string           `yaml:"requester" json:"requester"`
	RequesterID int64            `yaml:"requesterID,omitempty" json:"requesterID,omitempty"` // 0: it is not known
	Behalf      string           `yaml:"behalf,omitempty" json:"behalf,omitempty"`
	BehalfID    int64            `yaml:"behalfID,omitempty" json:"behalfID,omitempty"`
	Subject     requests.Subject `yaml:"subject" json:"subject"`
	PullRequest int              `yaml:"pullRequest" json:"pullRequest"`
	Owners      []string         `yaml:"owners" json:"owners"` // logins, and teams as org/team
	DueAt       requests.Time    `yaml:"dueAt" json:"dueAt"`
	Issue       int              `yaml:"issue,omitempty" json:"issue,omitempty"` // 0: there is none yet
}

// DebtFormat is the format of a debt.
var DebtFormat = requests.Format{
	Kind: KindDebt,
	About: "Access that was given before anybody looked at it, and that nobody has answered for yet, " +
		"as the agent notes it. Stands at revocations/<cluster>/debts/<name>.yaml.",
	Name: requests.RequestFormat.Name,
	Fields: requests.HeaderFields("Debt", "Whose debt it is, and who answers for it.").With(requests.Fields{
		"DebtSpec.cluster":   {About: "Cluster of the access.", Form: requests.FormName},
		"DebtSpec.policy":    {About: "Policy under which it was given.", Form: requests.FormName},
		"DebtSpec.requester": {About: "GitHub login of who asked for it.", Form: requests.FormLogin},
		"DebtSpec.requesterID": {About: "Number of their GitHub account, which GitHub never reuses. Where it " +
			"is there, it says who they are, and not the login.", Min: 1, Rule: "number",
			Says: "it must be 1 or more"},
		"DebtSpec.behalf": {About: "GitHub login of who received it, when that is somebody else.",
			Form: requests.FormLogin},
		"DebtSpec.behalfID": {About: "Number of their GitHub account, in the same way.", Min: 1,
			Rule: "number", Says: "it must be 1 or more"},
		"DebtSpec.subject": {About: "Who received it, in Kubernetes."},
		"DebtSpec.pullRequest": {About: "Number of the pull request that asked for it.", Min: 1,
			Rule: "number", Says: "it must be 1 or more"},
		"DebtSpec.owners": {About: "Who answers for it, as the policy said then: logins, and GitHub teams " +
			"as org/team. The policy's owners count where it still has some.", Min: 1, Unique: true},
		"DebtSpec.dueAt": {About: "When it is overdue."},
		"DebtSpec.issue": {About: "Number of its issue. Absent until there is one.", Min: 1,
			Rule: "number", Says: "it must be 1 or more"},
		"Subject.kind": requests.SpecFields["Subject.kind"],
		"Subject.name": requests.SpecFields["Subject.name"],
	}),
}

// ParseDebt reads the file of one debt strictly.
func ParseDebt(path string, data []byte) (Debt, []requests.Finding) {
	const maxSize = 16 << 10
	debt, d := requests.Decode[Debt](path, data, maxSize)
	if len(d.Findings) > 0 {
		return debt, d.Findings
	}
	d.Conform(DebtFormat, debt)
	for i, name := range debt.Spec.Owners {
		_, problem := ownerOf(name).problem()
		d.Check(fmt.Sprintf("spec.owners[%d]", i), "party", name, problem)
	}
	place, ok := requests.SplitDebtPath(path)
	switch {
	case !ok:
		d.Add("", "path", "a debt stands at %s", requests.DebtPath("<cluster>", "<name>"))
	case place.Name != debt.Metadata.Name:
		d.Check("metadata.name", "path", debt.Metadata.Name, "it must be the file's name without .yaml")
	case place.Cluster != debt.Spec.Cluster:
		d.Check("spec.cluster", "path", debt.Spec.Cluster, "it must be the folder's")
	}
	requests.SortFindings(d.Findings)
	return debt, d.Findings
}

// Marshal writes the file of a debt. The same debt always gives the same bytes.
func (d Debt) Marshal() ([]byte, error) { return requests.Marshal(d) }

// KeptBack says who breaks no glass until it is paid: who asked for the access, and who had it (R76). named
// writes a login.
func (s DebtSpec) KeptBack(named func(login string) string) string {
	if s.Behalf == "" {
		return named(s.Requester) + " breaks no glass"
	}
	return named(s.Requester) + " and " + named(s.Behalf) + " break no glass"
}

// ownerOf is an owner as a debt names one.
func ownerOf(name string) Party {
	if strings.Contains(name, "/") {
		return Party{Kind: PartyGroup, Name: name}
	}
	return Party{Kind: PartyUser, Name: name}
}

// Owed is what a commit says of break-glass that nobody has answered for: the debts of every ledger,
// and the requests that break the glass and are not over.
type Owed struct {
	Debts []Owing `json:"debts"`
}

// Owing is one of them.
type Owing struct {
	Name      string `json:"name"` // of the request
	Cluster   string `json:"cluster"`
	Policy    string `json:"policy,omitempty"`
	Requester string `json:"requester,omitempty"`
	Behalf    string `json:"behalf,omitempty"`
	// Their account numbers; 0: it is not known.
	RequesterID int64  `json:"requesterID,omitempty"`
	BehalfID    int64  `json:"behalfID,omitempty"`
	Subject     string `json:"subject,omitempty"` // in Kubernetes; of a request only one that it names
	// Unreadable is that its file does not tell whose it is.
	Unreadable bool `json:"unreadable,omitempty"`
}

// MaxOwed bounds what may be owed, of all clusters together: more is not read, and no glass is broken
// before some of it is answered for.
const MaxOwed = 100

// OwingOf reads what the file at a path of a commit owes. ok is false when it owes nothing: a request
// that does not break the glass.
func OwingOf(path string, content []byte) (o Owing, ok bool) {
	if place, is := requests.SplitDebtPath(path); is {
		debt, findings := ParseDebt(path, content)
		if len(findings) > 0 {
			return Owing{Name: place.Name, Cluster: place.Cluster, Unreadable: true}, true
		}
		return debt.Owing(), true
	}
	place, is := requests.SplitPath(path)
	if !is || !requests.MayBreakGlass(place.Name) {
		return Owing{}, false
	}
	r, findings := requests.ParseRequest(path, content)
	if len(findings) > 0 {
		return Owing{}, false // nothing is granted by it
	}
	o = Owing{Name: place.Name, Cluster: place.Cluster, Policy: place.Policy, Requester: r.Spec.Requester}
	if r.Spec.Subject != nil {
		o.Subject = r.Spec.Subject.Name
	}
	return o, r.Spec.BreakGlass
}

// Owing is what a debt says is owed.
func (d Debt) Owing() Owing {
	return Owing{Name: d.Metadata.Name, Cluster: d.Spec.Cluster, Policy: d.Spec.Policy,
		Requester: d.Spec.Requester, RequesterID: d.Spec.RequesterID, Behalf: d.Spec.Behalf,
		BehalfID: d.Spec.BehalfID, Subject: d.Spec.Subject.Name}
}

// Has tells whether break-glass of a name is owed.
func (o Owed) Has(name string) bool {
	return slices.ContainsFunc(o.Debts, func(one Owing) bool { return one.Name == name })
}

// isOf tells whether somebody who asks for a grant, or receives it, owes it.
func (o Owing) isOf(g *requests.Grant) bool {
	asks, receives := User{Login: g.Requester}, User{Login: g.Behalf}
	if b := g.BreakGlass; b != nil {
		asks.ID, receives.ID = b.RequesterID, b.BehalfID
	}
	for _, u := range []User{asks, receives} {
		if u.isWhom(o.Requester, o.RequesterID) || u.isWhom(o.Behalf, o.BehalfID) {
			return true
		}
	}
	return o.Cluster == g.Cluster && o.Subject != "" && o.Subject == g.Subject.Name
}

// isWhom tells whether an account is the one that was noted: by number, where both are known, since
// logins change hands (R22), else by login.
func (u User) isWhom(login string, id int64) bool {
	if u.ID != 0 && id != 0 {
		return u.ID == id
	}
	return login != "" && strings.EqualFold(u.Login, login)
}

// String says what is owed and how it is paid.
func (o Owing) String() string {
	return fmt.Sprintf("%s of @%s; once it is over, have its review, %s, approved and merged", o.Name,
		o.Requester, requests.ReviewPath(o.Name))
}
