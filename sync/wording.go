package sync

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// grantedText tells that access is given, until when, and how it is given back. podOf tells a pod in
// which an item's command runs now.
func grantedText(g requests.Grant, podOf func(requests.Item) string) string {
	return accessText(g, podOf, github.Granted+github.Moment(g.Window.End),
		"To give it back earlier, run %s, or open a pull request that deletes %s and nothing else. "+
			"It ends access as soon as it is open, when the one who asked, the one who receives "+
			"access or one who approved it opens it.")
}

// scheduledText tells that access is approved and begins later, and who can still keep it from
// that.
func scheduledText(g requests.Grant) string {
	return accessText(g, nil, github.Scheduled+" "+github.Moment(g.Window.Start),
		"It is judged once more before it begins: whoever approved it can take that back until "+
			"then by dismissing their review. To have it never begin, run %s, or open a pull request "+
			"that deletes %s and nothing else. That counts as soon as it is open, when the one who "+
			"asked, the one who is to receive access or one who approved it opens it.")
}

// accessText is a grant under a heading, and how it is withdrawn: words with a place each for the
// command and for the file.
func accessText(g requests.Grant, podOf func(requests.Item) string, heading,
	withdraw string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n| Access | |\n| --- | --- |\n", heading)
	who := github.Code("@"+g.Requester) + " as "
	if g.Behalf != "" { // named as GitHub tells people, from identities.yaml
		who = "@" + g.Behalf + ", for whom " + github.Code("@"+g.Requester) + " asked, as "
	}
	github.Row(&b, "Who", who+github.Escape(g.Subject.Kind)+" "+github.Code(g.Subject.Name))
	for _, given := range g.Gives() {
		github.Row(&b, "What", github.Code(given))
	}
	if g.BreakGlass != nil {
		github.Row(&b, "Break-glass", github.Escape(g.BreakGlass.String()))
	}
	if g.Extends != "" {
		github.Row(&b, "Extends", github.Code(g.Extends))
	}
	github.Row(&b, "When", strings.TrimSuffix(fmt.Sprintf("from %s to %s, %s; %s",
		github.Moment(g.Window.Start), github.Moment(g.Window.End), g.Window.Length(),
		github.Escape(g.Cut(g.Window))), "; "))
	for _, a := range g.Evidence.Approvers {
		if a.Narrowed != "" {
			github.Row(&b, "Narrowed", github.Code("@"+a.Login+" approved "+a.Narrowed))
		}
		if a.Words != "" {
			github.Row(&b, "Said", github.Code("@"+a.Login+": "+a.Words))
		}
	}
	for _, command := range g.Commands(podOf) {
		github.Row(&b, "Used by", github.Code(command))
	}
	fmt.Fprintf(&b, "\n"+withdraw+"\n",
		github.Code("pullgrant drop "+g.Name), github.Code(g.Path))
	return b.String()
}

// waitingText tells that a request is merged and that the cluster refuses what would give access.
func waitingText(r plan.Record) string {
	no := r.Refused
	return fmt.Sprintf("### "+github.Waiting+"\n\nSince %s the cluster refuses it:\n\n%s\n\n"+
		"It is tried again until %s, and then refused.\n", github.Moment(no.Since),
		github.Code(no.Message), github.Moment(requests.At(no.Since.Add(refusedFor))))
}

// unjudgedText tells that a request is merged and cannot be judged, or that nothing is granted now.
func unjudgedText(since time.Time, d policies.Decision) string {
	return fmt.Sprintf("### "+github.Waiting+"\n\nSince %s it waits (%s):\n\n%s\n\nIt is "+
		"judged again once that is over. Whoever looks after the agent can see what is in the way.\n",
		github.Moment(requests.At(since)), github.Helped(d.Code),
		github.Code(d.Message))
}

// goneText tells that a request was taken away before it was judged.
const goneText = "### " + github.Gone + "\n\nIt was taken away before it could be judged, so that there " +
	"is nothing to enter into the ledger. Should it come back, it is judged as any other.\n"

// lastingText tells that access which is to be over is not.
func lastingText(r plan.Record, why error) string {
	return fmt.Sprintf("### "+github.Lasting+"\n\nIt is to end (%s), and the "+
		"cluster does not "+
		"let it:\n\n%s\n\nIt is tried again until it works. Whoever looks after the cluster can see what "+
		"is in the way.\n", cmp.Or(r.Cause, "its request is off the branch"),
		github.Code(kube.Words(why)))
}

// endedText tells that access is over, why, where that is recorded, and what else was bound in its
// namespaces while it lasted.
func endedText(r plan.Record, ledger string, made []rbacv1.RoleBinding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### "+github.Ended+"%s\n\nIt was given from %s to %s and ended at %s%s.\n%s",
		r.Cause, github.Moment(r.Grant.Window.Start), github.Moment(r.Grant.Window.End),
		github.Moment(r.EndedAt), doerText(r), ledger)
	if len(r.Uses.First) > 0 {
		fmt.Fprintf(&b, "\nCommands: %s.\n", r.Uses)
	}
	if len(made) == 0 {
		return b.String()
	}
	b.WriteString("\n#### RoleBindings that others made meanwhile\n\nThey stay. Whoever owns " +
		"the namespace should know them.\n\n" +
		"| RoleBinding | Role | Subjects | Made at |\n| --- | --- | --- | --- |\n")
	for _, m := range made[:min(len(made), maxMade)] {
		github.Row(&b, github.Code(m.Namespace+"/"+m.Name), github.Escape(m.RoleRef.Kind)+" "+
			github.Code(m.RoleRef.Name),
			subjects(m.Subjects), github.Moment(requests.At(m.CreationTimestamp.Time)))
	}
	if more := len(made) - maxMade; more > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", more)
	}
	return b.String()
}

// doerText says who ended a grant, as far as that is somebody's doing.
func doerText(r plan.Record) string {
	switch {
	case r.Cause == requests.CauseBindingDeleted:
		return "; only the cluster's audit log tells who deleted it"
	case r.Cause == requests.CauseExecUsed:
		return "; its command was used, as the API server's audit log told"
	case !requests.ByAPerson(r.Cause):
		return ""
	case r.EndedBy == requests.Person{}:
		return "; by whom is not known"
	case r.EndedBy.Login == "":
		return ", by " + r.EndedBy.String()
	}
	return fmt.Sprintf(", by %s in #%d", github.Code("@"+r.EndedBy.Login), r.EndedBy.PullRequest)
}

// maxMade and maxSubjects bound the RoleBindings that a comment names, and the subjects of each.
const (
	maxMade     = 20
	maxSubjects = 5
)

func subjects(all []rbacv1.Subject) string {
	var names []string
	for _, s := range all[:min(len(all), maxSubjects)] {
		name := s.Name
		if s.Namespace != "" {
			name = s.Namespace + "/" + name
		}
		names = append(names, github.Escape(s.Kind)+" "+github.Code(name))
	}
	if more := len(all) - maxSubjects; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// refusedText tells why a request never became access. message may be empty.
func refusedText(r plan.Record, message string) string {
	if r.Cause != requests.CauseDenied {
		return fmt.Sprintf("### Never granted: %s\n\nIt was over before access began, at %s%s.\n",
			r.Cause, github.Moment(r.EndedAt), doerText(r))
	}
	text := fmt.Sprintf("### Refused: %s\n\n", r.Code)
	if by := r.RefusedBy; by != nil {
		return text + fmt.Sprintf("%s requested changes, and it was closed with that:\n\n%s\n\nThat is for "+
			"ever, also when it is opened again; ask again under a new name.\n", github.Code("@"+by.Login),
			github.Code(by.Words))
	}
	if message != "" {
		text += github.Code(message) + "\n\n"
	}
	return text + fmt.Sprintf("It was refused at %s. A request is judged once after its merge; "+
		"ask again under a new name. What to do first: %s.\n", github.Moment(r.EndedAt),
		github.Helped(policies.Code(r.Code)))
}

// unenteredText tells that a request is over, and that this could not be recorded.
func unenteredText(r plan.Record, why error) string {
	return fmt.Sprintf("### Over, and not recorded yet\n\nIt was over at %s (%s), but that "+
		"cannot be written into the ledger:\n\n%s\n\n"+
		"It is tried again. Whoever looks after the access repository can put it right.\n",
		github.Moment(r.EndedAt), r.Cause, github.Code(why.Error()))
}

// withdrawnText tells on a withdrawal that it is done.
func withdrawnText(entry requests.Revocation, ledger, commit string) string {
	return fmt.Sprintf("### Done: %s\n\nAccess of %s ended at %s, and its file is off the "+
		"branch, so that there is nothing left to merge.\n",
		entry.Status.Cause, github.Code(entry.Metadata.Name),
		github.Moment(entry.Status.RevokedAt)) +
		inLedger(ledger, commit)
}

// inLedger names the ledger entry, and the commit that made it where that is known: GitHub makes a
// link of it.
func inLedger(path, commit string) string {
	text := "\nThe ledger has it in " + github.Code(path)
	if commit != "" {
		text += ", commit " + commit
	}
	return text + ".\n"
}
