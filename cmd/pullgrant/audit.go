package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

type auditOptions struct {
	checkout checkout
	signers  string // allowed_signers file
	filter   auditFilter
	html     bool
	about    string // what narrows it, in words
	output   *format
}

func newAuditCommand(w world) *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who had what, when, why it ended and who approved it",
		Long: `Read the ledger and the open requests of a checkout as they stand at HEAD, from git's
objects: files that were changed but not committed do not count. The table fits into 80 columns:
NAME is whole, WHAT and ENDED may be cut. -o wide has the whole of them, each role that was given
with the digest of its rules in the catalogue, what had to be approved and by whom it was, approvals
that did not count, and the digest of the facts that were judged.

json, jsonl (JSON Lines) and yaml have what the ledger has of each request, csv a line a request, and
ocsf two events for each grant, as JSON Lines of the Open Cybersecurity Schema Framework.

Filters narrow what is shown, all of them at once. Times are UTC; --since and --until take what was
going on between them: access from its beginning until it really ended.

When access that lasts began, its agent tells in a commit that changes no file.

With --allowed-signers, that commit, and the one that brought a ledger entry, must carry the
signature of the cluster's agent. The file has git's format, with a cluster's name as the principal. The exit code is
1 when an entry is unproven or broken.`,
		Example: `  pullgrant audit
  pullgrant audit --person alice --since 7d
  pullgrant audit --cause Revoked --since 2026-11-01 --until 2026-11-30
  pullgrant audit --since 2026-11-01 -o csv > november.csv
  pullgrant audit --html > audit.html
  pullgrant audit --dir ../access --allowed-signers agents.pub
  pullgrant audit -o json | jq '.[] | select(.spec.requester == "alice")'`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.html && cmd.Flags().Changed("output") {
				return usagef(cmd, "--html is a format of its own; leave -o out")
			}
			if err := o.filter.complete(cmd, w.now()); err != nil {
				return err
			}
			o.about = o.filter.narrowed(cmd)
			return runAudit(cmd.Context(), w, o)
		},
	}
	o.checkout.flag(cmd)
	cmd.Flags().StringVar(&o.signers, "allowed-signers", "",
		"file with the public keys of the agents")
	o.filter.flags(cmd)
	cmd.Flags().BoolVar(&o.html, "html", false,
		"print a page for a browser, with a timeline; it needs no network")
	o.output = outputFlag(cmd, []requests.Audited{}, asWide, asName, asJSONLines, asCSV, asOCSF)
	cmd.AddCommand(newAuditVerifyCommand(w))
	return cmd
}

func runAudit(ctx context.Context, w world, o auditOptions) error {
	h, err := o.checkout.history(o.signers)
	if err != nil {
		return err
	}
	if o.filter.Person != "" {
		if o.filter.People, err = h.people(); err != nil {
			return err
		}
	}
	h.only(w, o.filter.Filter)
	if o.html {
		err = h.writePage(ctx, w, o.about)
	} else {
		err = h.print(w, o.output)
	}
	if err != nil {
		return err
	}
	sayFindings(w, h.findings)
	unproven := 0
	for _, a := range h.accounts {
		if a.Proof == requests.Unproven {
			unproven++
			w.say("%s:1:1: %s [unproven]", a.Path, a.Doubt)
		}
	}
	if o.signers == "" && slices.ContainsFunc(h.accounts, func(a ledger.Account) bool {
		return a.Proof == requests.Unchecked || a.Granted != nil
	}) {
		w.say("signatures were not checked; give --allowed-signers to check them")
	}
	if len(h.findings)+unproven > 0 {
		return verdict(exitFindings)
	}
	return nil
}

// readSigners reads an allowed_signers file; without a name there are none.
func readSigners(name string) (*git.AllowedSigners, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the allowed signers: %w", err)
	}
	signers, err := git.ParseAllowedSigners(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return signers, nil
}

func writeAccounts(w world, h history) error {
	rows := [][]string{append(auditHeads(), "WHEN", "WINDOW", "APPROVED BY", "PR", "PROOF", "ROLES",
		"CHALLENGES", "IGNORED", "FACTS", "COMMANDS")}
	for i, a := range h.accounts {
		rows = append(rows, slices.Concat([]string{a.Name}, accountRow(a, h.rows[i]),
			decisionCells(a.Status)))
	}
	return writeTable(w.out, rows)
}

// decisionCells are what an entry tells of its decision; s may be nil.
func decisionCells(s *requests.Status) []string {
	if s == nil {
		return make([]string, 5)
	}
	var roles, challenges, ignored []string
	for _, ref := range s.GrantRefs {
		if ref.Role != "" { // older entries have none
			roles = append(roles, ref.Role+" "+cmp.Or(shortDigest(ref.Rules), "uncatalogued"))
		}
	}
	for _, c := range s.Challenges {
		challenges = append(challenges, challengeCell(c))
	}
	for _, i := range s.Ignored {
		ignored = append(ignored, i.Login+" "+i.Code)
	}
	used := ""
	if s.Uses != nil {
		used = s.Uses.String()
	}
	return []string{strings.Join(roles, ", "), strings.Join(challenges, ", "), strings.Join(ignored,
		", "), shortDigest(s.Facts), used}
}

// shortDigest is enough of a digest to compare it by eye; -o json has all of it.
func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }

// accountRow are the cells behind the name; r is the row of the same account.
func accountRow(a ledger.Account, r audit.Row) []string {
	var who, what, ended, window string
	if a.Spec != nil {
		who, what = a.Spec.Requester, strings.TrimSuffix(a.Cluster+"/"+a.Spec.Namespace, "/")+" "+
			a.Spec.Policy
	}
	when, proof := a.Began(), string(r.Proof)
	switch s := a.Status; {
	case s != nil:
		if s.Subject != nil {
			who += " (" + s.Subject.Name + ")"
		}
		var namespaces []string
		for _, ref := range s.GrantRefs {
			if !slices.Contains(namespaces, ref.Namespace) {
				namespaces = append(namespaces, ref.Namespace)
			}
		}
		if a.Spec != nil && len(namespaces) > 0 {
			what = a.Cluster + "/" + strings.Join(namespaces, ",") + " " + a.Spec.Policy
		}
		ended, window = endOf(*s)
		if s.Evidence == requests.EvidenceBranch {
			proof += ", approvals never checked"
		}
	case a.Granted != nil:
		window = "until " + a.Granted.ExpiresAt.String()
	default:
		g := requests.Grant{Duration: a.Spec.Duration, NotBefore: a.Spec.NotBefore,
			Until: a.Spec.Until, Extends: a.Spec.Extends}
		window = strings.TrimPrefix(g.When(), "for ")
		if g.Duration == 0 && g.Until.IsZero() { // the policy says for how long
			window = strings.TrimPrefix(g.When(), g.For()+" ")
		}
	}
	return []string{who, what, ended, when.String(), window, strings.Join(r.Approvers, ", "),
		pullCell(r.PullRequest), proof}
}

// endOf says why and when it ended, and until when it could have lasted; the second is empty of what
// never began.
func endOf(s requests.Status) (ended, window string) {
	ended = s.Cause
	if s.Code != "" {
		ended += " " + s.Code
	}
	if s.GrantedAt != nil && s.ExpiresAt != nil {
		window = "until " + s.ExpiresAt.String()
		ended += " " + s.RevokedAt.String()
	}
	if s.EndedBy != nil {
		ended += " by " + strings.TrimPrefix(s.EndedBy.String(), "@")
	}
	return ended, window
}

// challengeCell is a condition with those who met it, and in brackets what it is made of.
func challengeCell(c requests.ChallengeStatus) string {
	text := strings.TrimSpace(fmt.Sprintf("%s %d of %d %s", c.Kind, c.Has(), c.Count,
		strings.Join(c.Approvers, " ")))
	var inside []string
	for _, part := range c.Challenges {
		inside = append(inside, challengeCell(part))
	}
	if len(inside) > 0 {
		text += " (" + strings.Join(inside, ", ") + ")"
	}
	return text
}
