package convert

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Who may have which role with k8sudo, ClusterRoles of the cluster say that give the verb sudo on others,
// and ClusterRoleBindings of them.

// longestSudo is the maximum of what is converted: k8sudo has none, and nobody reviews it.
const longestSudo = "1h"

// clusterRole notes a ClusterRole until all bindings have been read, and clusterRoleBinding those.
func (d *document) clusterRole()        { d.sudoers = append(d.sudoers, d) }
func (d *document) clusterRoleBinding() { d.bindings = append(d.bindings, d) }

func (c *converter) convertSudoers() {
	for _, d := range c.sudoers {
		d.sudoPolicy()
	}
	for _, b := range c.bindings {
		if !slices.ContainsFunc(c.sudoers, b.binds) {
			b.unreadable(b.root, "the ClusterRole %s was not read, so nothing was made of it; give it too",
				requests.Quote(text(field(b.root, "roleRef"), "name")))
		}
	}
}

func (d *document) binds(role *document) bool {
	ref := field(d.root, "roleRef")
	return text(ref, "kind") == requests.KindClusterRole &&
		text(ref, "name") == text(field(role.root, "metadata"), "name")
}

// sudoPolicy makes a policy of a ClusterRole: those who are bound may ask, and RBAC decides.
func (d *document) sudoPolicy() {
	d.keep(d.root, "", "apiVersion", "kind", "metadata", "rules")
	d.keep(field(d.root, "metadata"), "metadata", "name")
	roles, at := d.sudoRoles()
	if at == nil {
		d.unreadable(d.root, "no rule of it gives the verb %s on clusterroles; of ClusterRoles only what "+
			"k8sudo goes by is read, so nothing was made of it", policies.DefaultVerb)
		return
	}
	challenge, grant, target, spec := mapping(at), mapping(at), mapping(at), mapping(at)
	set(challenge, "kind", scalar(policies.RBACAuthorization, at))
	set(grant, "kind", scalar(requests.KubernetesClusterRoleBinding, at))
	if len(roles) > 0 {
		set(grant, "roles", list(at, roles...))
	}
	set(target, "defaultDuration", scalar(defaultSudo, at))
	set(target, "maxDuration", scalar(longestSudo, at))
	d.tell(at, "spec.target.maxDuration", "there is none there; here it is %s, as nobody reviews it",
		longestSudo)
	set(target, "mode", scalar(requests.ModeImpersonate, at))
	set(target, "grants", list(at, grant))
	set(spec, "clusters", list(at, scalar(d.Cluster, at)))
	if people := d.bound(); len(people) > 0 {
		set(spec, "subjects", list(at, people...))
	}
	set(spec, "challenges", list(at, challenge))
	set(spec, "allowWithoutReview", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true",
		Line: at.Line, Column: at.Column})
	set(spec, "target", target)
	name := field(field(d.root, "metadata"), "name")
	if name == nil {
		name = d.root
	}
	root := header(d.root, policies.KindAccessPolicy, name)
	set(root, "spec", spec)
	d.policy(root)
}

// sudoRoles are those that the verb is given on, and the first rule that gives it.
func (d *document) sudoRoles() (roles []*yaml.Node, at *yaml.Node) {
	has := func(rule *yaml.Node, name, wanted string) bool {
		return slices.ContainsFunc(items(field(rule, name)), func(n *yaml.Node) bool {
			return value(n) == wanted
		})
	}
	rules := items(field(d.root, "rules"))
	gives := func(rule *yaml.Node) bool {
		return has(rule, "verbs", policies.DefaultVerb) && has(rule, "resources", "clusterroles")
	}
	if !slices.ContainsFunc(rules, gives) {
		return nil, nil
	}
	for i, rule := range rules {
		path := below("rules", i)
		if !gives(rule) || len(items(field(rule, "verbs"))) > 1 ||
			len(items(field(rule, "resources"))) > 1 {
			d.tell(rule, path, "what it gives beside the verb %s on clusterroles, it goes on giving; a "+
				"policy gives for a time what is to end", policies.DefaultVerb)
		}
		if !gives(rule) {
			continue
		}
		if at == nil {
			at = rule
		}
		names := items(field(rule, "resourceNames"))
		if len(names) == 0 {
			d.tell(rule, path+".resourceNames", "there are none, so that it is about all ClusterRoles; here "+
				"a policy names those that it gives")
		}
		for _, n := range names {
			if !slices.ContainsFunc(roles, func(r *yaml.Node) bool { return value(r) == value(n) }) {
				roles = append(roles, n)
			}
		}
	}
	return roles, at
}

// bound are who may ask: the people and groups that ClusterRoleBindings name.
func (d *document) bound() (all []*yaml.Node) {
	for _, b := range d.bindings {
		if !b.binds(d) {
			continue
		}
		b.keep(b.root, "", "apiVersion", "kind", "metadata", "roleRef", "subjects")
		subjects := field(b.root, "subjects")
		b.parties(subjects, "subjects")
		for i, s := range items(subjects) {
			at, name := below("subjects", i), requests.Quote(text(s, "name"))
			switch kind := text(s, "kind"); kind {
			case policies.PartyUser:
				all = append(all, s)
			case policies.PartyGroup:
				b.tell(s, at, "%s is a group of Kubernetes there; here groups.yaml says who is in it, and "+
					"kubernetes.groups of identities.yaml whom the cluster is asked about as one of it", name)
				all = append(all, s)
			default:
				b.tell(s, at, "it is a %s, and here people ask", requests.Quote(kind))
			}
		}
	}
	if len(all) == 0 {
		d.tell(d.root, "spec.subjects", "no ClusterRoleBinding that was read binds people to it; name who "+
			"may ask")
	}
	return all
}
