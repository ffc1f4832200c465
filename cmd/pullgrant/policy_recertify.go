package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

type recertifyOptions struct {
	remote  remote
	names   []string
	since   string
	signers string
	dryRun  bool
}

func newPolicyRecertifyCommand(w world) *cobra.Command {
	var o recertifyOptions
	cmd := &cobra.Command{
		Use:   "recertify [POLICY...]",
		Short: "Ask owners whether who may ask for what is still meant",
		Long: `Open one pull request for each owner whose policies must be certified: those with a
spec.recertify of which a third is left, at most 30 days, or none, or those that are named. It says
who may ask for what, how often that was used, and what nobody used. Another owner of
policies/certified/ than you approves it, and each policy's time begins anew with the merge. A
policy whose time runs out grants nothing until then.

What was used comes from the ledger of a checkout, as it stands at HEAD; the policies, and when they
were certified, from the default branch on GitHub. A policy that an open pull request certifies is
left alone, so running it twice opens nothing new.

The exit code is 1 when nobody but you could certify one of the policies.`,
		Example: `  pullgrant policy recertify --dry-run
  pullgrant policy recertify
  pullgrant policy recertify payments-debug --since 365d`,
		Args: arguments(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.names = args
			var days requests.Days
			if err := days.UnmarshalText([]byte(o.since)); o.since != "" && err != nil {
				return usagef(cmd, "--since %q: %v", o.since, err)
			}
			return recertify(cmd.Context(), w, o, days)
		},
	}
	o.remote.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.since, "since", "", "for how many days back to count what was used, such as 180d "+
		"(default: each policy's recertify)")
	flags.StringVar(&o.signers, "allowed-signers", "", "file with the public keys of the agents; with it, "+
		"only what they signed counts as used")
	flags.BoolVar(&o.dryRun, "dry-run", false, "open nothing; print what the pull requests would say")
	return cmd
}

// duePolicy is a policy that its owners are asked about.
type duePolicy struct {
	policies.AccessPolicy
	owners []policies.Party
	file   []byte // that certifies it
	since  *requests.Time
}

// end is when the policy grants nothing any more, where that is known.
func (p duePolicy) end() requests.Time { return requests.At(p.since.Add(p.Spec.Recertify.Long())) }

func recertify(ctx context.Context, w world, o recertifyOptions, back requests.Days) error {
	dir, err := o.remote.checkout.folder()
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	client, tree, err := o.remote.tree(ctx, w)
	if err != nil {
		return err
	}
	login, _, err := client.User(ctx)
	if err != nil {
		return err
	}
	due, err := o.due(ctx, w, client, tree)
	if err != nil || len(due) == 0 {
		return err
	}
	used, err := o.used(w, dir)
	if err != nil {
		return err
	}
	stuck := false
	for _, some := range byOwners(due) {
		if problem := nobodyElse(some[0].owners, login); problem != "" {
			stuck = true
			for _, p := range some {
				w.say("%s: %s", policies.CertificationPath(p.Metadata.Name), problem)
			}
			continue
		}
		var r report
		for _, p := range some {
			r.usage(w.now(), tree, p, back, used)
		}
		if o.dryRun {
			r.line("")
			if err := r.to(w.out); err != nil {
				return err
			}
			continue
		}
		if _, err := propose(ctx, w, client, certifying(w.now(), tree, login, some, &r)); err != nil {
			return err
		}
	}
	if stuck {
		return verdict(exitFindings)
	}
	return nil
}

// due are the policies to ask about; of the others it says why not.
func (o recertifyOptions) due(ctx context.Context, w world, client *github.Client,
	tree policies.Tree) (due []duePolicy, err error) {
	var all []duePolicy
	var paths []string
	for _, name := range tree.PolicyNames() {
		policy, _, findings := tree.Policy(name)
		if len(findings) > 0 {
			w.say("the policies are not valid, so who may ask for what is not known:")
			return nil, endWithFindings(w, findings)
		}
		if policy.Spec.Recertify > 0 {
			all = append(all, duePolicy{AccessPolicy: policy, owners: tree.Certifiers(name)})
			paths = append(paths, tree.Certifying(name))
		}
	}
	for _, name := range o.names {
		if !slices.ContainsFunc(all, func(p duePolicy) bool { return p.Metadata.Name == name }) {
			return nil, fmt.Errorf("certify %s: there is no such policy with a spec.recertify on the "+
				"default branch; add that first, such as \"recertify: 90d\"", requests.Quote(name))
		}
	}
	if len(all) == 0 {
		w.say("no policy has a spec.recertify, so none has to be certified")
		return nil, nil
	}
	changes, err := client.Changed(ctx, tree.Commit, paths)
	if err != nil {
		return nil, err
	}
	open, err := client.PullsChanging(ctx, policies.IsCertification)
	if err != nil {
		return nil, err
	}
	for n, p := range all {
		p.since = changes[n].MergedAt
		name, soon := p.Metadata.Name, p.since == nil
		if !soon {
			soon, _ = p.Spec.Soon(p.since.Time, w.now())
		}
		if p.file, err = tree.Certify(p.AccessPolicy, w.now()); err != nil {
			return nil, err
		}
		path := policies.CertificationPath(name)
		switch number, asked := open[path]; {
		case len(o.names) > 0 && !slices.Contains(o.names, name):
		case asked:
			w.say("%s: #%d asks for it already", name, number)
		case !soon && len(o.names) == 0:
			w.say("%s: there is time until %s", name, p.end())
		case tree.Files[path].Content == string(p.file):
			w.say("%s: it was certified today", name)
		default:
			due = append(due, p)
		}
	}
	return due, nil
}

// used are the accounts of what was granted, oldest first.
func (o recertifyOptions) used(w world, dir string) (granted []ledger.Account, err error) {
	signers, err := readSigners(o.signers)
	if err != nil {
		return nil, err
	}
	accounts, findings, err := ledger.History(dir, signers)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		w.say("left out: %s", f)
	}
	for _, a := range accounts {
		switch {
		case a.Spec == nil || a.Status == nil || a.Status.GrantedAt == nil:
		case signers != nil && a.Proof == requests.Unproven:
			w.say("left out: %s:1:1: %s [unproven]", a.Path, a.Doubt)
		default:
			granted = append(granted, a)
		}
	}
	return granted, nil
}

// byOwners puts the policies together that the same people own.
func byOwners(due []duePolicy) (groups [][]duePolicy) {
	for _, p := range due {
		i := slices.IndexFunc(groups, func(g []duePolicy) bool { return slices.Equal(g[0].owners, p.owners) })
		if i < 0 {
			groups = append(groups, []duePolicy{p})
		} else {
			groups[i] = append(groups[i], p)
		}
	}
	return groups
}

// nobodyElse says why none but the author could approve, who never counts.
func nobodyElse(owners []policies.Party, author string) string {
	switch {
	case len(owners) == 0:
		return "nobody owns it, so nobody can certify the policy; add a line to CODEOWNERS"
	case len(owners) == 1 && owners[0].Kind == policies.PartyUser &&
		strings.EqualFold(owners[0].Name, author):
		return "nobody but you owns it, and nobody certifies what they ask for themselves; have " +
			"somebody else run this, or add an owner to CODEOWNERS"
	}
	return ""
}

// certifying is the pull request about policies that the same people own. What it says stands in a
// code block.
func certifying(now time.Time, tree policies.Tree, author string, some []duePolicy,
	r *report) github.Proposal {
	p := github.Proposal{Files: map[string][]byte{}}
	var names, owners []string
	for _, one := range some {
		names = append(names, one.Metadata.Name)
		p.Files[policies.CertificationPath(one.Metadata.Name)] = one.file
	}
	for _, party := range some[0].owners {
		owners = append(owners, "@"+party.Name)
		org, slug, isTeam := strings.Cut(party.Name, "/")
		switch {
		case len(p.Reviewers)+len(p.TeamReviewers) >= maxReviewers:
		case isTeam && strings.EqualFold(org, tree.Owner):
			p.TeamReviewers = append(p.TeamReviewers, slug)
		case !isTeam && !strings.EqualFold(party.Name, author):
			p.Reviewers = append(p.Reviewers, party.Name)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(append(owners, names...), " ")))
	fence := codeFence(r.String())
	p.Branch = fmt.Sprintf("%s/certify-%s-%x", program, now.UTC().Format("20060102"), sum[:4])
	p.Message = "Certify " + strings.Join(names, ", ")
	p.Title = fmt.Sprintf("Certify %d policies", len(names))
	if len(names) == 1 {
		p.Title = "Certify " + names[0]
	}
	p.Body = "Is this still meant? Who owns these files approves, and the policies go on granting from the " +
		"merge on. What should not be goes into a pull request of its own that changes the policy; close " +
		"this one then.\n\n" + fence + "text\n" + r.String() + fence + "\n"
	return p
}
