package sync

import (
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// debtMarker is the first line of the issue of a debt, by which it is found again.
func debtMarker(name string) string { return "<!-- pullgrant break-glass " + name + " -->" }

// debtTitle is made of checked names only.
func debtTitle(d policies.Debt) string {
	return fmt.Sprintf("Break-glass: %s on %s by %s, to be answered for", d.Spec.Policy, d.Spec.Cluster,
		d.Spec.Requester)
}

// debtText tells the owners of a debt what was given before anybody looked at it, and how they answer
// for it. r is the grant while it lasts, nil later on: then the ledger has it.
func debtText(d policies.Debt, r *plan.Record) string {
	var b strings.Builder
	s := d.Spec
	fmt.Fprintf(&b, "### Break-glass\n\n%s: access was given before anybody looked at it. Somebody of you "+
		"answers for it until %s.\n\n| Access | |\n| --- | --- |\n", mentioned(s.Owners), github.Moment(s.DueAt))
	github.Row(&b, "Request", github.Code(d.Metadata.Name)+fmt.Sprintf(", #%d", s.PullRequest))
	who := github.Code("@"+s.Requester) + " as " + github.Code(s.Subject.Name)
	if s.Behalf != "" {
		who = github.Code("@"+s.Behalf) + ", for whom " + who
	}
	github.Row(&b, "Who", who)
	if r != nil {
		for _, given := range r.Grant.Gives() {
			github.Row(&b, "What", github.Code(given))
		}
		github.Row(&b, "When", fmt.Sprintf("from %s to %s", github.Moment(r.Grant.Window.Start),
			github.Moment(r.Grant.Window.End)))
		if request, findings := requests.ParseRequest(r.Grant.Path, r.Request); len(findings) == 0 {
			github.Row(&b, "Why", github.Code(request.Spec.Reason))
		}
		github.Row(&b, "Merged as", r.Grant.Evidence.MergeCommit+", head "+r.Grant.Evidence.HeadSHA)
	}
	fmt.Fprintf(&b, "\nOnce the access is over, it stands in %s. Have a look at what was done, then add %s by a "+
		"pull request, as %s does. One of the owners approves it, neither who asked nor who had the access. "+
		"When it is merged, the agent closes this issue.\n\nUntil then %s, and nobody "+
		"does under the policy %s. Closing this issue by hand changes nothing of that.\n",
		github.Code(requests.RevocationPath(s.Cluster, d.Metadata.Name)),
		github.Code(requests.ReviewPath(d.Metadata.Name)),
		github.Code("pullgrant breakglass review "+d.Metadata.Name),
		s.KeptBack(func(login string) string { return github.Code("@" + login) }), github.Code(s.Policy))
	return b.String()
}

// paidText tells on the issue of a debt that it is paid, and by whom.
func paidText(d policies.Decision, pullRequest int) string {
	var by []string
	for _, a := range d.Approvers {
		by = append(by, github.Code("@"+a.Login))
	}
	return fmt.Sprintf("### Answered for\n\nThe review that #%d brought was approved by %s. Nothing is owed "+
		"any more.\n", pullRequest, strings.Join(by, ", "))
}

// unpaidText tells on the issue of a debt that its review pays nothing, why, and how to answer again.
func unpaidText(debt policies.Debt, d policies.Decision, pullRequest int) string {
	brought := "that was pushed"
	if pullRequest > 0 {
		brought = fmt.Sprintf("that #%d brought", pullRequest)
	}
	return fmt.Sprintf("### Answered, and still owed\n\nThe review %s pays nothing (%s):\n\n%s\n\nIt is judged "+
		"again, should that be put right. Where it cannot be, whoever may push past the ruleset takes %s away, as "+
		"reviews stay as they are; then %s answers again.\n", brought,
		github.Helped(d.Code), github.Code(d.Message), github.Code(requests.ReviewPath(debt.Metadata.Name)),
		github.Code("pullgrant breakglass review "+debt.Metadata.Name))
}
