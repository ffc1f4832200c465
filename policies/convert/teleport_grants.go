package convert

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// What a role of Teleport's gives, as grants of a policy: each of its resources, by each of its
// groups.

// every is Teleport's name of all namespaces, names, kinds and verbs.
const every = "*"

// isPattern tells whether a name of Teleport's stands for several: with *, or an expression.
func isPattern(name string) bool {
	return strings.Contains(name, every) || strings.HasPrefix(name, "^") && strings.HasSuffix(name, "$")
}

// isOf tells whether a pattern of Teleport's stands for a name.
func isOf(pattern, name string) bool {
	const longest = 500
	if !isPattern(pattern) || len(pattern) > longest {
		return pattern == name
	}
	if !strings.HasPrefix(pattern, "^") {
		pattern = "^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$"
	}
	expression, err := regexp.Compile(pattern)
	return err == nil && expression.MatchString(name)
}

// isWide tells whether a grant holds in the whole cluster.
func isWide(grant *yaml.Node) bool {
	return text(grant, "kind") == requests.KubernetesClusterRoleBinding || field(grant, "scope") != nil
}

func (r *role) grants() (all []*yaml.Node) {
	groups, resources := r.clusterRoles(), field(r.allow, "kubernetes_resources")
	if len(groups) > 0 && isEmpty(resources) {
		r.tell(field(r.allow, "kubernetes_groups"), resourcesField, "there are none, so what the groups "+
			"are bound to in the cluster says where it holds; write a grant for it")
	}
	for i, resource := range items(resources) {
		grant := r.grantOf(resource, below(resourcesField, i))
		if grant == nil {
			continue
		}
		for _, group := range groups {
			ref, one := mapping(group), *grant
			set(ref, "kind", scalar(requests.KindClusterRole, group))
			set(ref, "name", scalar(value(group), group))
			one.Content = slices.Clone(grant.Content)
			set(&one, "roleRef", ref)
			all = append(all, &one)
		}
	}
	return all
}

// clusterRoles are the groups that ClusterRoles can be named for.
func (r *role) clusterRoles() (all []*yaml.Node) {
	groups := field(r.allow, "kubernetes_groups")
	if isEmpty(groups) {
		r.tell(r.name, groupsField, "%s has none, so it gives nothing in Kubernetes",
			requests.Quote(value(r.name)))
	}
	for i, group := range items(groups) {
		at := below(groupsField, i)
		switch problem := requests.CheckRole(value(group)); {
		case strings.HasPrefix(value(group), "system:"):
			r.tell(group, at, "the group %s is Kubernetes' own, and nothing of that is given; make a "+
				"ClusterRole with what is needed", requests.Quote(value(group)))
		case problem != "":
			r.tell(group, at, "%s is no name of a ClusterRole; write a grant of the one that the group "+
				"is bound to", requests.Quote(value(group)))
		default:
			r.tell(group, at, "a group there, which bindings in the cluster give something; here the "+
				"ClusterRole %s is given: see that it is the one", requests.Quote(value(group)))
			all = append(all, group)
		}
	}
	return all
}

// grantOf is the grant for an entry of kubernetes_resources, but for its role; nil where there is
// none.
func (r *role) grantOf(entry *yaml.Node, at string) *yaml.Node {
	r.keep(entry, at, "kind", "namespace", "name", "verbs")
	kind, namespace, name := text(entry, "kind"), text(entry, "namespace"), text(entry, "name")
	verbs, ok := r.verbs(field(entry, "verbs"), at+".verbs")
	if !ok {
		return nil
	}
	if kind == "namespace" { // everything in it
		kind, namespace, name = every, name, every
	}
	grant := mapping(entry)
	if kind == every {
		switch {
		case name != every || len(verbs) > 0:
			r.tell(entry, at, "single objects or verbs of all kinds together have no counterpart; write "+
				"an entry for each kind")
			return nil
		case namespace == every:
			set(grant, "kind", scalar(requests.KubernetesClusterRoleBinding, entry))
			return grant
		}
		set(grant, "kind", scalar(requests.KubernetesRoleBinding, entry))
		return r.placed(grant, namespace, false, entry, at)
	}
	id, problem := requests.ParseResourceID(kind + "/x")
	if problem != "" || strings.Contains(kind, "/") {
		r.tell(entry, at+".kind", "%s is no kind of Kubernetes' own", requests.Quote(kind))
		return nil
	}
	if strings.HasPrefix(name, "^") {
		r.tell(entry, at+".name", "a policy names objects by globs with *, not by the expression %s",
			requests.Quote(name))
		return nil
	}
	resource := mapping(entry)
	set(resource, "resource", scalar(id.Kind, entry))
	set(resource, "names", list(entry, scalar(name, entry)))
	if len(verbs) > 0 {
		set(resource, "verbs", list(entry, verbs...))
	}
	set(grant, "kind", scalar(requests.KubernetesResourceRole, entry))
	set(grant, "resources", list(entry, resource))
	return r.placed(grant, namespace, id.ClusterWide, entry, at)
}

// verbs are those to which a resource is narrowed: none for all. ok is false where all that there are
// are given in another way.
func (r *role) verbs(n *yaml.Node, at string) (all []*yaml.Node, ok bool) {
	for i, verb := range items(n) {
		switch value(verb) {
		case every:
			return nil, true
		case "exec", "portforward":
			r.tell(verb, below(at, i), "%s is no verb of RBAC; a command is given by a grant of kind %s, a "+
				"forwarded port by a ClusterRole with pods/portforward", value(verb), requests.KubernetesExec)
		default:
			all = append(all, verb)
		}
	}
	return all, len(all) > 0 || isEmpty(n)
}

// placed is a grant with where it holds; nil where a policy cannot say that.
func (r *role) placed(grant *yaml.Node, namespace string, clusterWide bool, entry *yaml.Node,
	at string) *yaml.Node {
	switch {
	case clusterWide:
		set(grant, "scope", scalar(policies.ScopeCluster, entry))
	case namespace == every:
		set(grant, "scope", scalar(policies.ScopeAllNamespaces, entry))
	case isPattern(namespace) || namespace == "":
		r.tell(entry, at+".namespace", "%s stands for several namespaces, or none; a policy names each",
			requests.Quote(namespace))
		return nil
	default:
		set(grant, "defaultNamespace", scalar(namespace, entry))
		set(grant, "allowedNamespaces", list(entry, scalar(namespace, entry)))
	}
	return grant
}
