package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type policyListOptions struct {
	checkout checkout
	output   *format
}

func newPolicyListCommand(w world) *cobra.Command {
	var o policyListOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the policies: who may ask for what, and who approves",
		Long: `List the policies of a checkout, one line for each cluster of each. Groups of
groups.yaml and CODEOWNERS are resolved to people; GitHub teams stay as they are. The exit code is 1
when a policy is not valid, which leaves it out.`,
		Example: `  pullgrant policy list
  pullgrant policy list -o name
  pullgrant policy list -o json | jq '.[] | select(.cluster == "prod-eu")'`,
		Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error { return policyList(w, o) },
	}
	o.checkout.flag(cmd)
	o.output = outputFlag(cmd, []offer{}, asWide, asName)
	return cmd
}

// offer is what one policy offers on one cluster.
type offer struct {
	Name        string              `json:"name"`
	Description string              `json:"description,omitempty"`
	Cluster     string              `json:"cluster"`
	Askers      []string            `json:"askers"` // logins and org/teams
	Mode        string              `json:"mode"`   // how the access is used
	Grants      []grantOffer        `json:"grants"`
	MaxDuration requests.Duration   `json:"maxDuration"`
	Approvals   []policies.Approval `json:"approvals"`
}

// grantOffer is one grant of a policy, with what its kind has.
type grantOffer struct {
	Gives string `json:"gives"` // in words
	policies.GrantSpec
}

func offers(tree policies.Tree, policy policies.AccessPolicy) []offer {
	people, teams := tree.Askers(policy)
	var grants []grantOffer
	for _, g := range policy.Spec.Target.Grants {
		grants = append(grants, grantOffer{g.String(), g})
	}
	var all []offer
	for _, cluster := range policy.Spec.Clusters {
		all = append(all, offer{Name: policy.Metadata.Name, Description: policy.Spec.Description,
			Cluster: cluster, Askers: slices.Concat(teams, people),
			Mode: cmp.Or(policy.Spec.Target.Mode, requests.ModeDirect), Grants: grants,
			MaxDuration: policy.Spec.Target.MaxDuration,
			Approvals:   tree.Approvals(policy, cluster)})
	}
	return all
}

func policyList(w world, o policyListOptions) error {
	tree, err := o.checkout.tree()
	if err != nil {
		return err
	}
	var all []offer
	var names []string
	findings := tree.Check()
	for _, name := range tree.PolicyNames() {
		policy, _, broken := tree.Policy(name)
		if len(broken) == 0 {
			names = append(names, name)
			all = append(all, offers(tree, policy)...)
		}
	}
	err = o.output.print(w, printed{value: all, names: names,
		people: func(wide bool) error { return writeOffers(w, all, wide) }})
	if err != nil {
		return err
	}
	sayFindings(w, findings)
	if len(findings) > 0 {
		return verdict(exitFindings)
	}
	return nil
}

func writeOffers(w world, all []offer, wide bool) error {
	rows := [][]string{{"POLICY", "CLUSTER", "AT MOST", "GIVES", "WHO APPROVES"}}
	if wide {
		rows[0] = append(rows[0], "WHO MAY ASK", "DESCRIPTION")
	}
	for _, o := range all {
		var gives []string
		for _, g := range o.Grants {
			gives = append(gives, g.Gives)
		}
		if o.Mode == requests.ModeImpersonate {
			gives[len(gives)-1] += ", used with --as"
		}
		row := []string{o.Name, o.Cluster, o.MaxDuration.String(), strings.Join(gives, "; "),
			whoApproves(o.Approvals)}
		if wide {
			row = append(row, at(o.Askers), o.Description)
		}
		rows = append(rows, row)
	}
	if wide {
		return writeTable(w.out, rows)
	}
	const gives, approves = 3, 4
	return writeTable(w.out, rows, cut{gives, 24}, cut{approves, 14}, cut{gives, 12})
}

// whoApproves says whose approvals are needed, for a line.
func whoApproves(all []policies.Approval) string {
	var approvals []string
	for _, a := range all {
		var who []string
		for _, part := range a.All() {
			who = append(who, slices.Concat(part.Teams, part.People)...)
		}
		slices.Sort(who)
		approvals = append(approvals, cmp.Or(a.Asks, fmt.Sprintf("%d of %s", a.Count,
			cmp.Or(at(slices.Compact(who)), "nobody"))))
	}
	return cmp.Or(strings.Join(approvals, " and "), "nobody's approval")
}
