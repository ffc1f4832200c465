package ledger

import (
	"fmt"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// DebtOf is what is owed for a grant. ok is false when nothing is: it was looked at before, or nobody
// ever had access by it.
func DebtOf(r plan.Record) (debt policies.Debt, ok bool) {
	g, b := r.Grant, r.Grant.BreakGlass
	if b == nil || !r.EverGranted() {
		return debt, false
	}
	merged := g.Window.Start
	return policies.Debt{APIVersion: requests.APIVersion, Kind: policies.KindDebt,
		Metadata: requests.Metadata{Name: g.Name},
		Spec: policies.DebtSpec{Cluster: g.Cluster, Policy: g.Policy, Requester: g.Requester,
			RequesterID: b.RequesterID, Behalf: g.Behalf, BehalfID: b.BehalfID, Subject: g.Subject,
			PullRequest: g.Evidence.PullRequest,
			Owners:      b.Owners, Issue: r.Issue,
			DueAt: requests.At(merged.Add(time.Duration(b.ReviewWithin)))}}, true
}

// checkDebt finds what is wrong with the file of a debt: that it does not read, or that anybody but the
// cluster's agent brought it or took it away, as far as that can be told.
func checkDebt(path, cluster string, local *git.Checkout, b bringing,
	signers *git.AllowedSigners) (findings []requests.Finding) {
	if signers != nil {
		if err := git.VerifyCommit(b.commit.Raw, signers, cluster); err != nil {
			found := fault(path, "debt-unsigned", "commit %s wrote this debt, and is not the agent's: %v",
				b.commit.Hash, err)
			if b.file.Path == "" {
				found = fault(path, "debt-removed", "commit %s took this debt away, and is not the agent's: %v",
					b.commit.Hash, err)
			}
			findings = append(findings, found)
		}
	}
	if b.file.Path == "" {
		return findings
	}
	if b.file.Fault != "" {
		return append(findings, fault(path, "file", "%s; it must be a plain file", b.file.Fault))
	}
	content, err := local.Blob(b.file.Hash)
	if err != nil {
		return append(findings, fault(path, "file", "it cannot be read: %v", err))
	}
	_, found := policies.ParseDebt(path, content)
	return append(findings, found...)
}

// IssueMessage is that of the commit that notes the issue of a debt.
func IssueMessage(d policies.Debt) string {
	return message("Note the issue of "+d.Metadata.Name, fmt.Sprintf("#%d has what is owed for it.",
		d.Spec.Issue), "issue", d, "")
}

// PaidMessage is that of the commit that takes a debt away, which a review paid that was approved.
func PaidMessage(d policies.Debt, paid policies.Decision, pullRequest int) string {
	var approved []string
	for _, a := range paid.Approvers {
		approved = append(approved, fmt.Sprintf("Approved-by: %s (%d)", a.Login, a.ID))
	}
	return message("Settle "+d.Metadata.Name, fmt.Sprintf("The review that #%d brought pays what was owed "+
		"for it.", pullRequest), "reviewed", d, strings.Join(append([]string{fmt.Sprintf(
		"Pullgrant-Review: %d", pullRequest)}, approved...), "\n"))
}

func message(title, sentence, event string, d policies.Debt, trailers string) string {
	text := fmt.Sprintf("%s\n\n%s\n\nPullgrant-Event: %s\nPullgrant-Request: %s\n"+
		"Pullgrant-Pull-Request: %d\n", title, sentence, event,
		requests.Path(d.Spec.Cluster, d.Spec.Policy, d.Metadata.Name), d.Spec.PullRequest)
	if d.Spec.Issue > 0 {
		text += fmt.Sprintf("Pullgrant-Issue: %d\n", d.Spec.Issue)
	}
	if trailers != "" {
		text += trailers + "\n"
	}
	return text
}
