package policies

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Outcome is how a judgement ended. The zero value denies, so that a forgotten field never allows.
type Outcome int

// Outcomes of a judgement.
const (
	Denied  Outcome = iota // refused; changing the request, the policy or the person is needed
	Pending                // an approval, the end of a draft or some time is still missing
	Allowed                // every rule and every challenge is met
	Failed                 // the facts do not suffice to decide: EvaluationError
)

var outcomes = [...]string{Denied: "denied", Pending: "pending", Allowed: "allowed",
	Failed: "error"}

// String is the outcome as outputs and JSON hold it.
func (o Outcome) String() string { return outcomes[o] }

// MarshalText writes String.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads String.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i, name := range outcomes {
		if name == string(text) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("unknown outcome %s", requests.Quote(string(text)))
}

// Code is the stable name of a rule's refusal, or empty (docs/rules.md).
type Code string

// Help is the address of the page that says who can do what about a refusal.
func (c Code) Help() string {
	return "https://github.com/pullgrant/pullgrant/blob/main/docs/refusals.md#" +
		strings.ToLower(string(c))
}

// Codes in the order the rules are checked.
const (
	EvaluationError        Code = "EvaluationError"
	NotARequestPR          Code = "NotARequestPR"
	FileRejected           Code = "FileRejected"
	ParseError             Code = "ParseError"
	SchemaError            Code = "SchemaError"
	PolicyInvalid          Code = "PolicyInvalid"
	CodeownersInvalid      Code = "CodeownersInvalid"
	NothingOwed            Code = "NothingOwed"
	NoPolicy               Code = "NoPolicy"
	BreakGlassNotAllowed   Code = "BreakGlassNotAllowed"
	GrantNotOffered        Code = "GrantNotOffered"
	RoleNotAllowed         Code = "RoleNotAllowed"
	NamespaceNotAllowed    Code = "NamespaceNotAllowed"
	ResourceNotAllowed     Code = "ResourceNotAllowed"
	NothingToGrant         Code = "NothingToGrant"
	CommandNotAllowed      Code = "CommandNotAllowed"
	SubjectNotAllowed      Code = "SubjectNotAllowed"
	DurationOutOfRange     Code = "DurationOutOfRange"
	StartOutOfRange        Code = "StartOutOfRange"
	OutsideWindow          Code = "OutsideWindow"
	FieldNotAccepted       Code = "FieldNotAccepted"
	ReasonNotAccepted      Code = "ReasonNotAccepted"
	ConditionNotMet        Code = "ConditionNotMet"
	RequesterNotAllowed    Code = "RequesterNotAllowed"
	AccessDenied           Code = "AccessDenied"
	NotCertified           Code = "NotCertified"
	BreakGlassOwed         Code = "BreakGlassOwed"
	Refused                Code = "Refused"
	RequestIDReused        Code = "RequestIdReused"
	ExtensionNotAllowed    Code = "ExtensionNotAllowed"
	AlreadyGranted         Code = "AlreadyGranted"
	LimitReached           Code = "LimitReached"
	DraftPullRequest       Code = "DraftPullRequest"
	WrongBase              Code = "WrongBase"
	UnattributableCommit   Code = "UnattributableCommit"
	ChangesRequested       Code = "ChangesRequested"
	ApprovalStale          Code = "ApprovalStale"
	SelfApproval           Code = "SelfApproval"
	ContributorApproval    Code = "ContributorApproval"
	BotApproval            Code = "BotApproval"
	ApproverNotAllowed     Code = "ApproverNotAllowed"
	NotAuthorizedInCluster Code = "NotAuthorizedInCluster"
	NotOnCall              Code = "NotOnCall"
	WebhookDenied          Code = "WebhookDenied"
	TicketNotOpen          Code = "TicketNotOpen"
	InsufficientApprovals  Code = "InsufficientApprovals"

	// The agent's own, judged over merged pull requests.
	NoPullRequest        Code = "NoPullRequest"
	PullRequestNotMerged Code = "PullRequestNotMerged"
	BlobMismatch         Code = "BlobMismatch"
	RoleChanged          Code = "RoleChanged"
	NonFastForward       Code = "NonFastForward"
	ExpiredBeforeGrant   Code = "ExpiredBeforeGrant"
	BindingConflict      Code = "BindingConflict"
	ExecUnguarded        Code = "ExecUnguarded"
	ResourcesTooMany     Code = "ResourcesTooMany"
	ContainerAmbiguous   Code = "ContainerAmbiguous"
	ContainerNotAllowed  Code = "ContainerNotAllowed"
	ClockSkew            Code = "ClockSkew"
	PolicyUnproven       Code = "PolicyUnproven"
	NoBackstop           Code = "NoBackstop"
	ChangedByCluster     Code = "ChangedByCluster"
	RefusedByCluster     Code = "RefusedByCluster"
	NotInAWSAuth         Code = "NotInAWSAuth"
	RulesetWeakened      Code = "RulesetWeakened"
	Paused               Code = "Paused"
	PushRefused          Code = "PushRefused"
	Unfenced             Code = "Unfenced"
	OverPrivileged       Code = "OverPrivileged"
	RepositoryReplaced   Code = "RepositoryReplaced"
)

// Outcome is what a refusal with this code means: Pending where a person can still meet the rule.
func (c Code) Outcome() Outcome {
	switch c {
	case EvaluationError, ClockSkew, NonFastForward, RulesetWeakened, Paused, PushRefused, Unfenced,
		OverPrivileged, RepositoryReplaced:
		return Failed
	case DraftPullRequest, ChangesRequested, ApprovalStale, SelfApproval, ContributorApproval,
		BotApproval,
		ApproverNotAllowed, InsufficientApprovals:
		return Pending
	}
	return Denied
}

// Kind is what a pull request is, decided by the paths it touches.
type Kind string

// Kinds of pull request. The empty Kind is none of them.
const (
	KindRequest    Kind = "request"
	KindWithdrawal Kind = "withdrawal"
	KindChange     Kind = "change"
	KindReview     Kind = "review" // of break-glass
)

// Decision is the outcome of judging a pull request, with the reason of every rule and challenge.
type Decision struct {
	Outcome      Outcome `json:"decision"`
	Code         Code    `json:"code,omitempty"` // of the first refusal
	Message      string  `json:"message"`        // one sentence for people
	Kind         Kind    `json:"kind,omitempty"`
	Path         string  `json:"path,omitempty"` // of the request
	Policy       string  `json:"policy,omitempty"`
	Author       string  `json:"author,omitempty"` // of the pull request
	HeadSHA      string  `json:"headSHA,omitempty"`
	PolicyCommit string  `json:"policyCommit,omitempty"`

	Rules      []Rule              `json:"rules"`      // in the order they were checked, up to the first refusal
	Challenges []ChallengeResult   `json:"challenges"` // what must be approved, and by whom
	Ignored    []IgnoredReview     `json:"ignored,omitempty"`
	Findings   []requests.Finding  `json:"findings,omitempty"`
	Approvers  []requests.Approver `json:"approvers,omitempty"` // whose reviews counted
	// Narrowed is what of them leave less than is asked for; Grant is what all of these leave.
	Narrowed  []requests.Narrowing `json:"narrowed,omitempty"`
	MayNarrow bool                 `json:"mayNarrow,omitempty"` // the policy lets reviews do that
	Grant     *requests.Grant      `json:"grant,omitempty"`     // what is asked for, as far as it is known
	Roles     []RoleView           `json:"roles,omitempty"`     // what the grant's roles allow
	Widened   []string             `json:"widened,omitempty"`   // of a change: what becomes possible
	Reason    string               `json:"reason,omitempty"`    // of the request: free text, escape at every sink
	Fields    map[string]string    `json:"fields,omitempty"`    // of the request: free texts as well
	// Again is when time alone changes what is pending, without anybody doing anything.
	Again requests.Time `json:"again,omitzero"`
	// LapsesAt is when a request that is not merged by then is denied for having waited too long (R52).
	LapsesAt requests.Time `json:"lapsesAt,omitzero"`
}

// Next is when time alone changes the decision; the zero time: never.
func (d Decision) Next() requests.Time {
	if !d.Again.IsZero() && (d.LapsesAt.IsZero() || d.Again.Before(d.LapsesAt.Time)) {
		return d.Again
	}
	return d.LapsesAt
}

// Dead tells whether nothing but a new push can have an open request be allowed, and it waited for
// that longer than it may (R52).
func (d Decision) Dead(now time.Time) bool {
	return d.Outcome == Denied && !d.LapsesAt.IsZero() && now.After(d.LapsesAt.Time)
}

// Rule is one rule that was checked. Code names the rule by its refusal.
type Rule struct {
	Code    Code   `json:"code"`
	Passed  bool   `json:"passed"`
	Message string `json:"message"`
}

// ChallengeResult is how one challenge stands, with those that it is made of.
type ChallengeResult struct {
	Kind      string            `json:"kind"`
	Path      string            `json:"path,omitempty"` // of a code owner's review: the file owned
	Count     int               `json:"count"`          // approvals needed, or children that must be met
	Approvers []string          `json:"approvers"`      // logins that met it
	Reviewers []string          `json:"reviewers"`      // who may meet it: logins and org/teams
	Met       bool              `json:"met"`
	Spare     bool              `json:"spare,omitempty"`   // it need not be met, since others are
	From      *requests.Time    `json:"from,omitempty"`    // when it can be met first
	Replies   []ReplyResult     `json:"replies,omitempty"` // of whom it asks outside of GitHub
	Children  []ChallengeResult `json:"children,omitempty"`

	metAt   time.Time // the moment of the approval that met it
	early   []string  // logins whose approval came before its turn
	refusal Code      // of replies that say no
	refused bool      // a reply says no
}

// Has is how many of Count there are.
func (c ChallengeResult) Has() int {
	switch {
	case len(c.Replies) > 0 && c.Met:
		return c.Count
	case len(c.Children) == 0:
		return len(c.Approvers)
	}
	return howMany(c.Children, func(child ChallengeResult) bool { return child.Met })
}

// Waits tells whether it has all that it needs and lacks its time alone (From): nobody can do anything.
func (c ChallengeResult) Waits() bool {
	return !c.Met && c.From != nil && len(c.Replies) == 0 && c.Has() >= c.Count
}

// againBy is the first moment after now at which a challenge that waits for its time can be met.
func againBy(challenges []ChallengeResult, now time.Time) (first requests.Time) {
	for _, c := range challenges {
		for _, part := range c.All() {
			if part.From != nil && part.From.After(now) && (first.IsZero() ||
				part.From.Before(first.Time)) {
				first = *part.From
			}
		}
	}
	return first
}

// All walks a result and what it is made of, each with how deep it stands.
func (c ChallengeResult) All() iter.Seq2[int, ChallengeResult] {
	return deep([]ChallengeResult{c}, ChallengeResult.parts)
}

func (c ChallengeResult) parts() []ChallengeResult { return c.Children }

// counted tells whether an approval counted for it, or for a part of it.
func (c ChallengeResult) counted(login string) bool {
	for _, part := range c.All() {
		if slices.Contains(part.Approvers, login) {
			return true
		}
	}
	return false
}

// approvals is "1 approval", "2 approvals".
func approvals(n int) string {
	if n == 1 {
		return "1 approval"
	}
	return fmt.Sprintf("%d approvals", n)
}

// missing says what is needed and what there is.
func (c ChallengeResult) missing() string {
	text := fmt.Sprintf("%s needs %s by %s and has %d", c.Kind, approvals(c.Count), reviewersOf(c),
		len(c.Approvers))
	switch {
	case len(c.Children) > 0:
		text = c.missingOfChildren()
	case len(c.Replies) > 0:
		text = c.Kind + " is not met: " + strings.Join(c.Replied(), "; ")
	}
	switch {
	case c.From != nil && len(c.Replies) > 0:
		text += fmt.Sprintf("; it can be met from %s on", c.From)
	case c.From != nil:
		text += fmt.Sprintf(", which counts from %s on", c.From)
	}
	return text
}

func (c ChallengeResult) missingOfChildren() string {
	if c.Has() >= c.Count { // its time lacks
		return fmt.Sprintf("%s needs %d of its %d challenges and has %d", c.Kind, c.Count, len(c.Children), c.Has())
	}
	var all []string
	for _, child := range c.Children {
		if !child.Met {
			all = append(all, child.missing())
		}
	}
	if len(all) == 1 || c.Kind == AllOf {
		return strings.Join(all, ", and ")
	}
	return fmt.Sprintf("%d more of these: %s", c.Count-c.Has(), strings.Join(all, ", or "))
}

// reviewersOf are all who may meet one of the challenges, or a part of it.
func reviewersOf(all ...ChallengeResult) string {
	var names []string
	for _, c := range all {
		for _, part := range c.All() {
			for _, r := range part.Reviewers {
				names = append(names, "@"+r)
			}
		}
	}
	return cmp.Or(strings.Join(sorted(names), ", "), "nobody")
}

// Remaining are those whose approval may still meet one of the decision's challenges: not whoever
// has given it, nor the requester and the pull request's author, who are never counted.
func (d Decision) Remaining(c ChallengeResult) []string {
	is := func(name string) func(string) bool {
		return func(login string) bool { return login != "" && strings.EqualFold(login, name) }
	}
	return slices.DeleteFunc(slices.Clone(c.Reviewers), func(name string) bool {
		uncounted := []string{d.Author}
		if d.Grant != nil {
			uncounted = append(uncounted, d.Grant.Requester, d.Grant.Behalf)
		}
		return slices.ContainsFunc(append(uncounted, c.Approvers...), is(name))
	})
}

// AllChallenges walks the challenges and what they are made of, each with how deep it stands.
func (d Decision) AllChallenges() iter.Seq2[int, ChallengeResult] {
	return deep(d.Challenges, ChallengeResult.parts)
}

// IgnoredReview is an approval that does not count.
type IgnoredReview struct {
	Login    string `json:"login"`
	ReviewID int64  `json:"reviewID"`
	Code     Code   `json:"code"`
	Message  string `json:"message"`
}
