package main

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

type policyReplayOptions struct {
	checkout checkout
	changed  checkout // --policy-dir
	against  string
	output   *format
}

func newPolicyReplayCommand(w world) *cobra.Command {
	var o policyReplayOptions
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Show which past requests a changed policy would decide otherwise",
		Long: `Ask two versions of the policies about every request in the ledger and under requests/
as they stand at HEAD: those of --against, and the files in front of it, committed or not, or those
of --policy-dir. What differs is shown:

  denied   it was possible and would be denied
  allowed  it was denied and would be possible
  changed  it would give something else: another role, namespace, user or time
  unknown  a GitHub team decides now, and only GitHub knows who is in it

What the request says is judged, who may ask, and whether those who approved it could. Who was in a
GitHub team is known where the ledger keeps that it was asked then. Dates and pull requests are not
judged.

The exit code is 0 when nothing differs, and 1 when something does, like that of diff: a decision
that widens is as much to look at as one that narrows.`,
		Example: `  pullgrant policy replay
  pullgrant policy replay --against origin/main
  pullgrant policy replay --dir ../access --policy-dir . -o json`,
		Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error { return policyReplay(w, o) },
	}
	o.checkout.flag(cmd)
	cmd.Flags().StringVar(&o.changed.dir, "policy-dir", "", "checkout with the changed policies "+
		"(default: that of --dir)")
	_ = cmd.MarkFlagDirname("policy-dir")
	cmd.Flags().StringVar(&o.against, "against", "HEAD", "branch, tag or commit with the "+
		"policies to compare with")
	o.output = outputFlag(cmd, []policies.Replayed{}, asWide, asName)
	return cmd
}

func policyReplay(w world, o policyReplayOptions) error {
	dir, err := o.checkout.folder()
	if err != nil {
		return err
	}
	if o.changed.dir == "" {
		o.changed.dir = dir
	}
	after, err := o.changed.tree()
	if err != nil {
		return err
	}
	before, err := ledger.TreeAt(dir, o.against)
	if err != nil {
		return err
	}
	accounts, findings, err := ledger.History(dir, nil)
	if err != nil {
		return err
	}
	past, more, err := pastRequests(accounts)
	if err != nil {
		return err
	}
	findings = append(findings, more...)
	replayed := policies.Replay(before, after, past, onAllCores)
	unknown := 0
	for _, r := range replayed {
		if r.After.Unknown() {
			unknown++
		}
	}
	flips := slices.DeleteFunc(replayed, func(r policies.Replayed) bool { return r.Flip == "" })
	var names []string
	for _, r := range flips {
		names = append(names, strings.TrimSuffix(path.Base(r.Path), ".yaml"))
	}
	err = o.output.print(w, printed{value: flips, names: names, people: func(wide bool) error {
		if len(flips) == 0 {
			return nil
		}
		return writeFlips(w, flips, names, wide)
	}})
	if err != nil {
		return err
	}
	for _, f := range findings {
		w.say("left out: %s", f)
	}
	if unread := len(accounts) - len(past); unread > 0 {
		w.say("left out: %s that could not be read when it was refused", count(unread, "request"))
	}
	if unknown > 0 {
		w.say("note: %s left open, because GitHub teams are not asked", count(unknown, "decision"))
	}
	w.say("replayed %s, %s", count(len(past), "request"), count(len(flips), "difference"))
	if len(flips) > 0 {
		return verdict(exitFindings)
	}
	return nil
}

// pastRequests are the accounts of requests that could be read. The findings are facts that do not
// belong to them.
func pastRequests(accounts []ledger.Account) (past []policies.Past, findings []requests.Finding,
	err error) {
	for _, a := range accounts {
		if a.Spec == nil {
			continue
		}
		p := policies.Past{Path: requests.Path(a.Cluster, a.Spec.Policy, a.Name), Spec: *a.Spec,
			Began: a.Began().Time}
		if a.Status != nil {
			for _, approver := range a.Status.Approvers {
				p.Approvers = append(p.Approvers, approver.Login)
			}
		}
		facts, found, err := a.Facts()
		if err != nil {
			return nil, nil, err
		}
		if findings = append(findings, found...); facts != nil {
			p.Answers = facts.Answers
		}
		past = append(past, p)
	}
	return past, findings, nil
}

// writeFlips prints what differs, with the reason below each, or beside it where the table is wide.
func writeFlips(w world, flips []policies.Replayed, names []string, wide bool) error {
	rows := [][]string{{"DIFFERS", "REQUEST", "WHO", "BEFORE", "AFTER"}}
	if wide {
		rows[0] = append(rows[0], "WHY", "FILE")
	}
	for i, r := range flips {
		row := []string{string(r.Flip), names[i], r.Requester, standing(r.Before), standing(r.After)}
		if wide {
			row = append(row, whyFlipped(r), r.Path)
		}
		rows = append(rows, row)
	}
	if wide {
		return writeTable(w.out, rows)
	}
	return writeTableAnd(w.out, rows, func(n int, r *report) { r.text("  %s", whyFlipped(flips[n])) })
}

func standing(s policies.Standing) string {
	return strings.TrimSpace(s.Decision + " " + string(s.Code))
}

// whyFlipped is the reason on the side that has one, or what is given now instead of before.
func whyFlipped(r policies.Replayed) string {
	if r.Flip == policies.FlipChanged {
		return gives(*r.Before.Grant) + " -> " + gives(*r.After.Grant)
	}
	return cmp.Or(r.After.Message, r.Before.Message)
}

// gives is a grant in few words.
func gives(g requests.Grant) string {
	text := fmt.Sprintf("%s to %s %s", strings.Join(g.Gives(), ", "), g.Subject.Name, g.For())
	for _, h := range g.Windows {
		text += ", " + h.String()
	}
	return text
}
