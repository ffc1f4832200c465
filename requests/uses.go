package requests

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Uses is how the commands of a grant were used, as far as the API server's audit log told.
type Uses struct {
	Allowed int   `yaml:"allowed" json:"allowed"`
	Refused int   `yaml:"refused" json:"refused"`
	First   []Use `yaml:"first" json:"first"` // at most MaxUses, half of them refused
}

// Use is one command that somebody ran, or tried to.
type Use struct {
	// of the event in the audit log: a UUID, or what the caller chose; absent when that is no name
	AuditID string `yaml:"auditID,omitempty" json:"auditID,omitempty"`
	Time    Time   `yaml:"time" json:"time"`
	// as the Role names it, after the verb and namespace/; what no Role names stands there too
	Command string `yaml:"command" json:"command"`
	Allowed bool   `yaml:"allowed" json:"allowed"`
	Code    int    `yaml:"code" json:"code"` // the HTTP status of the API server's answer
}

// MaxUses is how many uses of a grant are kept; the others are counted. Half of them at most are
// refused ones, which cost nobody anything and could crowd out what was allowed.
const MaxUses = 20

// maxUsed bounds what is kept of a command, in bytes.
const maxUsed = 256

// CommandText is a command, as somebody ran it, in a form that any file and screen takes: on one
// line, without what a reader may fail to see, cut at 256 bytes.
func CommandText(s string) string {
	var b strings.Builder
	for _, r := range s {
		text := string(r)
		if IsHidden(r) {
			text = strings.Trim(strconv.QuoteRuneToASCII(r), "'")
		}
		if b.Len()+len(text) > maxUsed {
			return b.String() + "…"
		}
		b.WriteString(text)
	}
	return b.String()
}

// Add counts a use, once as far as it is kept, and tells whether it is new. Its audit ID alone does
// not tell: whoever calls the API server may choose that, and could hide one use by another.
func (u *Uses) Add(use Use) bool {
	if slices.Contains(u.First, use) {
		return false
	}
	kept := len(u.First) < MaxUses
	if use.Allowed {
		u.Allowed++
	} else {
		u.Refused++
		kept = kept && u.Refused <= MaxUses/2
	}
	if kept {
		u.First = append(u.First, use)
	}
	return true
}

// Check tells what is wrong with uses that were kept outside of the ledger.
func (u Uses) Check() error {
	if len(u.First) > MaxUses || u.Allowed < 0 || u.Refused < 0 {
		return fmt.Errorf("its uses are more than %d, or fewer than none", MaxUses)
	}
	for _, use := range u.First {
		if checkUsed(use.Command) != "" || use.AuditID != "" && CheckAuditID(use.AuditID) != "" {
			return fmt.Errorf("a use is %s with the audit ID %s, which none is", Quote(use.Command),
				Quote(use.AuditID))
		}
	}
	return nil
}

// String is the uses for people, in one line.
func (u Uses) String() string {
	return fmt.Sprintf("%d allowed, %d refused, as the API server's audit log tells", u.Allowed,
		u.Refused)
}

// String is the use for people.
func (u Use) String() string {
	word := "refused"
	if u.Allowed {
		word = "allowed"
	}
	return fmt.Sprintf("%s  %s  %s", u.Time, word, u.Command)
}

// AuditIDPattern is the form of an audit ID that is kept.
const AuditIDPattern = `^[A-Za-z0-9._-]{1,64}$`

var auditIDPattern = regexp.MustCompile(AuditIDPattern)

// CheckAuditID tells what is wrong with an audit ID; empty when nothing is.
func CheckAuditID(s string) string {
	return mustMatch(auditIDPattern, s, "1 to 64 letters, digits, and . _ -")
}

var useFields = Fields{
	"Uses.allowed": {About: "How many the API server let through."},
	"Uses.refused": {About: "How many it refused."},
	"Uses.first":   {About: "The first of them, at most 20, of which 10 refused.", Max: MaxUses},

	"Use.auditID": {About: "ID of the event in the audit log.", Form: Form{Rule: "audit-id",
		Pattern: AuditIDPattern, Check: CheckAuditID}},
	"Use.time": {About: "When the API server got the call."},
	"Use.command": {About: "Verb, namespace, pod, container and arguments, as the Role of a grant " +
		"names them. Cut at 256 bytes.", Form: Form{Rule: "command", Min: 1, Max: maxUsed + 1,
		Check: checkUsed}},
	"Use.allowed": {About: "Whether the API server let it through."},
	"Use.code":    {About: "HTTP status with which the API server answered."},
}

func checkUsed(s string) string {
	if s == "" || s != CommandText(strings.TrimSuffix(s, "…")) && s != CommandText(s) {
		return "it must be 1 to 256 bytes on one line, without hidden characters"
	}
	return ""
}

// Ran tells whether a command that was run, as its verb and name, is the one of e, in any pod where
// e is about a Deployment's. Of a name that was cut only what is left of it is compared.
func (e Exec) Ran(verb, name string, cut bool) bool {
	want, got := splitName(e.Name()), splitName(name)
	pod, container, _ := strings.Cut(got[0], "/")
	if e.Deployment != "" {
		got[0] = "/" + container // as e has it
	}
	switch last := len(got) - 1; {
	case verb != e.Verb(), pod == "":
		return false
	case len(e.Command) == 0: // any
		got = got[:1]
	case cut && len(got) <= len(want): // the last of them may go on
		want, got = want[:last], got[:last]
	}
	return slices.EqualFunc(want, got, func(want, got string) bool {
		folder, globs := strings.CutSuffix(want, "/*")
		if file, in := strings.CutPrefix(got, folder+"/"); globs && in {
			return file != "" && !strings.Contains(file, "/")
		}
		return want == got
	})
}

// maxGenerated is how much of a name Kubernetes leaves before the five characters that it adds to it
// (MaxGeneratedNameLength of apiserver/pkg/storage/names).
const maxGenerated = 58

// NamesPodOf tells whether a command's name is of the pod that e names, or of one that is called as
// Kubernetes calls those of e's Deployment. Others may be its as well: it takes over what has its labels.
func (e Exec) NamesPodOf(name string) bool {
	pod, _, _ := strings.Cut(name, "/")
	if e.Deployment == "" {
		return pod == e.Pod
	}
	begin := e.Deployment + "-"
	return strings.HasPrefix(pod, begin[:min(len(begin), maxGenerated)])
}

// splitName takes apart what Name put together: at spaces without a \ before them. What is escaped
// stays so.
func splitName(name string) (parts []string) {
	begin, escaped := 0, false
	for i := range len(name) {
		if name[i] == ' ' && !escaped {
			parts, begin = append(parts, name[begin:i]), i+1
		}
		escaped = name[i] == '\\' && !escaped
	}
	return append(parts, name[begin:])
}
