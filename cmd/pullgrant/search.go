package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

type searchOptions struct {
	remote     remote
	words      []string // in lower case
	cluster    string
	namespace  string
	verb       string
	resource   string // as policies write it
	live       bool
	kubeconfig string
	output     *format
}

func newSearchCommand(w world) *cobra.Command {
	var o searchOptions
	cmd := &cobra.Command{
		Use:   "search [TEXT...]",
		Short: "List what you may ask for, with the command to paste for each",
		Long: `List what the policies let you ask for: where, for how long at most, who approves, and the
command that asks for it. A command is filled in with what the policy takes first; what else there
is to pick stands beside it. NAME stands for the name of an object, VALUE for that of a field that
the policy requires. Words of TEXT must all stand in the policy's name or description, or in what
it gives.

With --live, or where your kubeconfig's current context has a cluster's name, single objects that a
policy gives are listed as far as you may, each with its command.`,
		Example: `  pullgrant search
  pullgrant search --cluster prod-eu --verb delete --resource pods
  pullgrant search payments -o json | jq -r '.[].command'`,
		Args: arguments(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.words = strings.Fields(strings.ToLower(strings.Join(args, " ")))
			if o.resource != "" {
				object, sub, has := strings.Cut(o.resource, "/")
				id, problem := requests.ParseResourceID(object)
				if problem != "" {
					return usagef(cmd, "--resource %q: %s", o.resource, problem)
				}
				if o.resource = id.Kind; has {
					o.resource += "/" + sub
				}
			}
			return o.run(cmd, w)
		},
	}
	o.remote.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.cluster, "cluster", "", "on this cluster only")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "what holds in this namespace only")
	flags.StringVar(&o.verb, "verb", "", "what allows this verb only, such as delete")
	flags.StringVar(&o.resource, "resource", "",
		"what allows something on this kind only, such as pods, deployments.apps or pods/log")
	flags.BoolVar(&o.live, "live", false, "list the objects that there are, by your kubeconfig")
	kubeconfigFlag(cmd, &o.kubeconfig)
	o.output = outputFlag(cmd, []option{}, asWide, asName)
	return cmd
}

// option is what one grant of a policy lets somebody ask for on a cluster.
type option struct {
	Policy      string              `json:"policy"`
	Description string              `json:"description,omitempty"`
	Cluster     string              `json:"cluster"`
	Grant       string              `json:"grant,omitempty"` // its name
	Gives       string              `json:"gives"`           // in words
	Namespaces  []string            `json:"namespaces"`      // none: the whole cluster
	Roles       []string            `json:"roles"`
	Objects     []string            `json:"objects"` // KIND/GLOB; none: all that the role is about
	Mode        string              `json:"mode"`    // how the access is used
	MaxDuration requests.Duration   `json:"maxDuration"`
	Least       int                 `json:"leastApprovals"`
	Approvals   []policies.Approval `json:"approvals"`
	Command     string              `json:"command"` // for a shell
	Live        []liveObject        `json:"live,omitempty"`

	asking asking
	spec   requests.RequestSpec // that the command writes
	grant  policies.GrantSpec
}

func (o searchOptions) run(cmd *cobra.Command, w world) error {
	ctx := cmd.Context()
	client, tree, err := o.remote.tree(ctx, w)
	if err != nil {
		return err
	}
	login, _, err := client.User(ctx)
	if err != nil {
		return err
	}
	clusters := clustersOf(tree)
	if o.cluster != "" || o.live {
		if o.cluster, err = clusterMeant(cmd, o.cluster, o.kubeconfig, clusters); err != nil {
			return err
		}
	}
	_, stop := w.awaiting("GitHub")
	offered, notes, err := client.Offered(ctx, tree, login)
	stop()
	if err != nil {
		return err
	}
	for _, note := range notes {
		w.say("note: %s", note)
	}
	name := cmd.Root().CommandPath()
	all := []option{}
	for _, offer := range offered {
		policy, _, _ := tree.Policy(offer)
		for _, c := range choices(tree, policy) {
			if o.wants(tree, policy, c) {
				all = append(all, o.ready(c, name))
			}
		}
	}
	o.lookAround(ctx, w, all, name)
	if len(all) == 0 {
		w.say("nothing to ask for is found; %d of the %d policies let you ask for something", len(offered),
			len(tree.PolicyNames()))
	}
	return o.write(w, all, name)
}

// choices are what a policy offers, for each of its clusters and grants.
func choices(tree policies.Tree, policy policies.AccessPolicy) (all []option) {
	s := policy.Spec
	for _, cluster := range s.Clusters {
		for _, g := range s.Target.Grants {
			c := option{Policy: policy.Metadata.Name, Description: s.Description, Cluster: cluster,
				Grant: g.Name, Gives: g.String(), Namespaces: append([]string{}, g.AllowedNamespaces...),
				Roles: append([]string{}, g.Roles...), Objects: []string{}, Mode: s.Target.Mode,
				MaxDuration: s.Target.MaxDuration, Least: tree.LeastApprovals(policy, cluster),
				Approvals: tree.Approvals(policy, cluster), grant: g}
			if g.RoleRef.Name != "" {
				c.Roles = append(c.Roles, g.RoleRef.Name)
			}
			if c.Mode == "" {
				c.Mode = requests.ModeDirect
			}
			for _, t := range things(g) {
				c.Objects = append(c.Objects, t.Kind+"/"+t.glob)
			}
			c.spec = requests.RequestSpec{Policy: c.Policy, Cluster: cluster,
				Fields: unsaidFields(policy)}
			if len(s.Target.Grants) > 1 && g.Name != "" {
				c.spec.Grants = []string{g.Name}
			}
			all = append(all, c)
		}
	}
	return all
}

// wants tells whether a option is among what is searched for.
func (o searchOptions) wants(tree policies.Tree, policy policies.AccessPolicy, c option) bool {
	text := strings.ToLower(strings.Join([]string{c.Policy, c.Description, c.Cluster, c.Grant, c.Gives}, " "))
	switch {
	case o.cluster != "" && c.Cluster != o.cluster,
		o.namespace != "" && len(c.Namespaces) > 0 && !slices.Contains(c.Namespaces, o.namespace),
		slices.ContainsFunc(o.words, func(word string) bool { return !strings.Contains(text, word) }):
		return false
	case o.verb == "" && o.resource == "":
		return true
	}
	policy.Spec.Target.Grants = []policies.GrantSpec{c.grant}
	return slices.ContainsFunc(policy.Offers(tree, c.Cluster), func(item requests.Item) bool {
		rules, _ := tree.Gives(c.Cluster, item) // what the catalogue does not tell is not found
		return slices.ContainsFunc(rules, func(rule rbac.RoleRule) bool {
			return (o.verb == "" || slices.Contains(rule.Verbs, o.verb) || slices.Contains(rule.Verbs, "*")) &&
				(o.resource == "" || rbac.Reaches([]rbac.RoleRule{rule}, o.resource))
		})
	})
}

// ready fills in the command of a option.
func (o searchOptions) ready(c option, name string) option {
	if g := c.grant; len(c.Namespaces) > 0 {
		c.spec.Namespace = o.namespace
		if c.spec.Namespace == "" && g.DefaultNamespace == "" || len(c.Namespaces) > 1 {
			c.spec.Namespace = first(o.namespace, g.DefaultNamespace, c.Namespaces[0])
		}
	}
	if len(c.grant.Roles) > 1 {
		c.spec.Role = c.grant.Roles[0]
	}
	if all := things(c.grant); len(all) > 0 {
		all[0].in(&c.spec, all[0].example())
	}
	c.asking = newAsking(o.remote, c.spec)
	c.Command = c.asking.line(name)
	return c
}

func first(all ...string) string {
	i := slices.IndexFunc(all, func(s string) bool { return s != "" })
	return all[i]
}

func (o searchOptions) write(w world, all []option, name string) error {
	var names []string
	for _, c := range all {
		names = append(names, c.Policy)
	}
	return o.output.print(w, printed{value: all, names: names, people: func(wide bool) error {
		if wide {
			return writeWide(w, all)
		}
		return writeChoices(w, all, name)
	}})
}
