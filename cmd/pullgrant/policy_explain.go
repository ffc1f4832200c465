package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

type policyExplainOptions struct {
	checkout checkout
	what     string // a policy or request, by name or file
	output   *format
}

// explained is a policy, or what would come of a request.
type explained struct {
	Policy  []offer            `json:"policy,omitempty" about:"What it offers, for each of its clusters."`
	Request *policies.Decision `json:"request,omitempty" about:"Of a request: the policy alone is judged."`
}

func newPolicyExplainCommand(w world) *cobra.Command {
	var o policyExplainOptions
	cmd := &cobra.Command{
		Use:   "explain POLICY|REQUEST",
		Short: "Say in words what a policy or a request amounts to",
		Long: `Say in words who may ask, for what, for how long and who must approve, with CODEOWNERS
and groups.yaml resolved to people, and what the role can do as the catalogue has it. Of a request,
say what it would give and who can approve it.

POLICY and REQUEST are names or files. The exit code is 1 when the policy is not valid or the
request would be denied.`,
		Example: `  pullgrant policy explain payments-debug
  pullgrant policy explain 20261122-alice-inc-123
  pullgrant policy explain requests/prod-eu/payments-debug/20261122-alice-inc-123.yaml`,
		Args: arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.what = args[0]
			return policyExplain(w, o)
		},
	}
	o.checkout.flag(cmd)
	o.output = outputFlag(cmd, explained{}, asName)
	return cmd
}

func policyExplain(w world, o policyExplainOptions) error {
	dir, files, err := o.checkout.open()
	if err != nil {
		return err
	}
	tree, err := policies.ReadTree(files, ownerOf(dir))
	if err != nil {
		return fmt.Errorf("read the policies in %s: %w", dir, err)
	}
	name := strings.TrimSuffix(filepath.Base(o.what), ".yaml")
	policy, ok, findings := tree.Policy(name)
	switch {
	case len(findings) > 0:
		for _, f := range findings {
			w.say("%s", f)
		}
		return verdict(exitFindings)
	case !ok:
		return explainRequest(w, o, dir, files, tree)
	}
	return o.output.print(w, printed{value: explained{Policy: offers(tree, policy)},
		names: []string{name}, people: func(bool) error {
			var r report
			r.policy(tree, policy)
			return r.to(w.out)
		}})
}

func explainRequest(w world, o policyExplainOptions, dir string, files fs.FS,
	tree policies.Tree) error {
	path, err := o.checkout.find(dir, files, o.what)
	if err != nil {
		w.say("%q is no policy of %s; there are: %s", o.what, dir,
			cmp.Or(strings.Join(tree.PolicyNames(), ", "), "none"))
		return err
	}
	data, err := fs.ReadFile(files, path)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	d := preview(tree, path, data)
	allowed := d.Outcome == policies.Allowed && d.Grant != nil
	place, _ := placeOf(path)
	err = o.output.print(w, printed{value: explained{Request: &d}, names: []string{place.Name},
		people: func(bool) error {
			if !allowed {
				return nil
			}
			return wouldCome(tree, path, d).to(w.out)
		}})
	if err == nil && !allowed {
		return refused(w, d, "")
	}
	return err
}

// wouldCome says in words what a request that its policy allows would give.
func wouldCome(tree policies.Tree, path string, d policies.Decision) *report {
	r := new(report)
	r.line("File          %s", path)
	r.line("Policy        %s", d.Policy)
	r.grant(*d.Grant)
	r.risks(d)
	r.why(d)
	policy, _, _ := tree.Policy(d.Policy)
	r.title("Who must approve")
	r.approvals(tree.Approvals(policy, d.Grant.Cluster), d.Grant.Requester)
	for _, view := range d.Roles {
		if len(view.Item.Allows) > 0 { // no more of the role than that
			r.view(view)
		} else {
			r.role(tree, policy, d.Grant.Cluster, view.Role)
		}
	}
	return r
}

// policy says everything about a policy.
func (r *report) policy(tree policies.Tree, policy policies.AccessPolicy) {
	r.line("%s", policy.Metadata.Name)
	if policy.Spec.Description != "" {
		r.text("%s", policy.Spec.Description)
	}
	r.title("Who may ask")
	people, teams := tree.Askers(policy)
	for _, team := range teams {
		r.line("  the GitHub team @%s", team)
	}
	for _, login := range people {
		r.line("  @%s", login)
	}
	if behalf := policy.Spec.OnBehalfOf; len(behalf) > 0 {
		r.title("On behalf of whom, besides themselves")
		for _, party := range behalf {
			r.line("  %s", party.Name)
		}
	}
	r.title("For what")
	for _, g := range policy.Spec.Target.Grants {
		named := ""
		if g.Name != "" {
			named = ", asked for alone with --grant " + g.Name
		}
		r.text("  %s on %s%s", g, either(policy.Spec.Clusters), named)
		if g.DefaultNamespace != "" && len(g.AllowedNamespaces) > 1 {
			r.line("  in %s when the request does not say", g.DefaultNamespace)
		}
		if len(g.AllowedNamespaces) > 1 {
			r.line("  in up to %d of them at once, by a pattern: --namespace '*'",
				requests.MaxNamespaces)
		}
	}
	if policy.Spec.Target.Mode == requests.ModeImpersonate {
		r.text("  used as an identity of the grant's own: \"%s exec NAME -- kubectl ...\"", program)
	}
	if over := tree.RulesOver(policy); len(over) > 0 {
		r.title("What rules deny of it")
		for _, rule := range over {
			r.text("  %s: %s: %s", rule.Path, rule.Denies, rule.Reason)
		}
	}
	r.title("For how long")
	target := policy.Spec.Target
	r.line("  at most %s", target.MaxDuration)
	if target.DefaultDuration > 0 {
		r.line("  %s when the request does not say", target.DefaultDuration)
	}
	for _, h := range policy.Spec.Windows {
		r.line("  only %s", h)
	}
	if limits := policy.Spec.Limits; limits != nil {
		for _, limit := range limits.InWords() {
			r.line("  %s", limit)
		}
	}
	r.changed(policy.Spec)
	r.certified(tree, policy)
	if glass := policy.Spec.BreakGlass; glass != nil {
		r.title("Who may break the glass")
		r.text("  %s", glass)
	}
	r.conditions(policy.Spec)
	if policy.Spec.AllowNarrowing {
		r.title("Approving less")
		r.text("  A review may narrow what it approves by a line such as \"pullgrant: at most 30m\". The " +
			"narrowest of those that count holds, and none counts that was edited.")
	}
	for _, cluster := range policy.Spec.Clusters {
		r.title("Who must approve on " + cluster)
		r.approvals(tree.Approvals(policy, cluster), "")
		for _, role := range policy.Roles() {
			r.role(tree, policy, cluster, role)
			if onlyNamed(policy, role) {
				r.text("  A request gets of that what concerns the objects that it names.")
			}
		}
	}
}

// conditions say what a request must say, and what must be true of it.
func (r *report) conditions(s policies.PolicySpec) {
	if s.ReasonPattern != "" || len(s.Fields) > 0 {
		r.title("What a request must say")
	}
	if s.ReasonPattern != "" {
		r.text("  a reason that matches %s", s.ReasonPattern)
	}
	for _, f := range s.Fields {
		when := "if it likes, "
		if f.Required {
			when = ""
		}
		r.text("  %sthe field %s", when, f)
	}
	if len(s.Conditions) > 0 {
		r.title("What must be true of a request")
	}
	for _, c := range s.Conditions {
		r.text("  %s", strings.Join(strings.Fields(c.Expression), " "))
		r.text("  or else: %s", c.Message)
	}
}

// onlyNamed tells whether a policy gives a role on objects by name only.
func onlyNamed(policy policies.AccessPolicy, role string) bool {
	return !slices.ContainsFunc(policy.Spec.Target.Grants, func(g policies.GrantSpec) bool {
		return g.Kind != requests.KubernetesResourceRole &&
			(g.RoleRef.Name == role || slices.Contains(g.Roles, role))
	})
}

func either(names []string) string { return strings.Join(names, " or ") }

// approvals say who can meet the challenges of a policy.
func (r *report) approvals(all []policies.Approval, requester string) {
	if len(all) == 0 {
		r.line("  nobody: the policy asks for no review")
	}
	for _, a := range all {
		r.approval(a, requester)
	}
}

// approval says who can meet a challenge besides the requester: nobody approves their own request.
func (r *report) approval(a policies.Approval, requester string) {
	for depth, part := range a.All() {
		from := part.Kind
		if part.Path != "" {
			from += " of " + part.Path
		}
		if part.After > 0 {
			from += fmt.Sprintf(", %s after the request at the earliest", part.After)
		}
		if part.InOrder {
			from += ", one after the other"
		}
		who := fmt.Sprintf("these %d", len(part.Parts))
		if len(part.Parts) == 0 {
			others := slices.DeleteFunc(slices.Clone(part.People), func(login string) bool {
				return strings.EqualFold(login, requester)
			})
			who = cmp.Or(at(slices.Concat(part.Teams, others)), "nobody")
		}
		r.text("%s  %s (%s)", strings.Repeat("  ", depth), cmp.Or(part.Asks, fmt.Sprintf("%d of %s",
			part.Count, who)), from)
	}
}

// role says what a role can do, as far as the catalogue has it.
func (r *report) role(tree policies.Tree, policy policies.AccessPolicy, cluster, role string) {
	r.title(fmt.Sprintf("What %s can do on %s", role, cluster))
	if catalogued, ok, findings := tree.Role(cluster, role); ok && len(findings) == 0 {
		r.permissions("  ", rbac.Permissions(catalogued.Spec.Rules))
	}
	for _, risk := range tree.RisksUnder(policy, cluster, role) {
		mark := "note"
		if risk.High {
			mark = "RISK"
		}
		r.text("  %s  %s", mark, risk.Text)
	}
}
