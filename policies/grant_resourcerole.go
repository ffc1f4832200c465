package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// ResourceSpec is one kind of object that a request may name.
type ResourceSpec struct {
	Resource string   `yaml:"resource" json:"resource"`               // plural, with its API group
	Names    []string `yaml:"names" json:"names"`                     // globs of the names that may be asked for
	Verbs    []string `yaml:"verbs,omitempty" json:"verbs,omitempty"` // none: all of the role
	// whether a request may ask by a pattern of names, or by labels
	Patterns  bool `yaml:"patterns,omitempty" json:"patterns,omitempty"`
	Selectors bool `yaml:"selectors,omitempty" json:"selectors,omitempty"`
}

// resourceRoleGrant gives what a ClusterRole allows on some objects, each by its name.
var resourceRoleGrant = grantKind{
	name: requests.KubernetesResourceRole,
	about: "KubernetesResourceRole: a Role in one namespace with what a ClusterRole allows on the " +
		"objects that the request names.",
	fields: kindFields{needs: []string{"resources"},
		takes: []string{"allowedNamespaces", "defaultNamespace", "name", "roleRef",
			"roles", "scope"}},
	asks: []string{"namespace", "role", "resources", "selector"},
	check: func(d *requests.Document, at string, g GrantSpec) {
		checkRoles(d, at, g)
		checkScope(d, at, g)
		checkMatching(d, at, g)
	},
	protected: func(g GrantSpec) []string {
		return append(protectedRoles(g), protectedIn(g)...)
	},
	resolve: resolveResourceRole,
	offers:  offeredResourceRoles,
	covers: func(g GrantSpec, i requests.Item) bool {
		return slices.Contains(g.offered(), i.Role.Name) &&
			g.reaches(i.Namespace) &&
			!slices.ContainsFunc(i.Resources, func(text string) bool {
				resource := requests.SplitResource(text)
				_, ok := g.entry(resource)
				return !ok && (resource.IsExact() || !matchesKind(i, resource.Kind))
			}) && !slices.ContainsFunc(i.Allows,
			func(r requests.Rule) bool { return !g.narrows(r) })
	},
	gives: generated,
	risks: func(t Tree, cluster string, i requests.Item) []rbac.Risk {
		rules, _ := generated(t, cluster, i)
		return append(rbac.Risks(rules, scopeOf(i)), matchRisks(i)...)
	},
	words: func(g GrantSpec) string {
		var kinds []string
		for _, e := range g.Resources {
			kinds = append(kinds, e.Resource+"/"+anyOf(e.Names)+e.ways())
		}
		where := "in namespace " + anyOf(g.AllowedNamespaces)
		if g.Scope != "" {
			where = "in the whole cluster"
		}
		return fmt.Sprintf("%s %s on %s %s", requests.KindClusterRole,
			anyOf(g.offered()), strings.Join(kinds, ", "), where)
	},
}

// generated is what an item's own Role allows.
func generated(_ Tree, _ string, i requests.Item) (rules []rbac.RoleRule, ok bool) {
	for _, r := range i.Allows {
		names := slices.Clone(r.Names)
		for _, m := range r.Match { // which stands for the names that match now
			names = append(names, m.String())
		}
		rules = append(rules, rbac.RoleRule{APIGroups: []string{r.Group},
			Resources: []string{r.Resource}, ResourceNames: names, Verbs: r.Verbs})
	}
	return rules, true
}

// entry is the part of a grant that a resource is asked for by.
func (g GrantSpec) entry(r requests.Resource) (ResourceSpec, bool) {
	i := slices.IndexFunc(g.Resources, func(e ResourceSpec) bool {
		return e.Resource == r.Kind && slices.ContainsFunc(e.Names,
			func(glob string) bool { return matches(glob, r.Name) })
	})
	if i < 0 {
		return ResourceSpec{}, false
	}
	return g.Resources[i], true
}

// narrows tells whether a grant still gives the verbs of a rule on what matches it: it may have
// come to give fewer.
func (g GrantSpec) narrows(r requests.Rule) bool {
	gives := func(also func(e ResourceSpec) bool) bool {
		return slices.ContainsFunc(g.Resources, func(e ResourceSpec) bool {
			return e.Resource == r.Object() && (len(e.Verbs) == 0 || !slices.ContainsFunc(r.Verbs,
				func(v string) bool { return !slices.Contains(e.Verbs, v) })) && also(e)
		})
	}
	for _, m := range r.Match {
		for _, glob := range m.Within {
			if !gives(func(e ResourceSpec) bool { return e.within(m, glob) }) {
				return false
			}
		}
	}
	return gives(func(ResourceSpec) bool { return true })
}

func resolveResourceRole(t Tree, r requests.RequestSpec, g GrantSpec) (requests.Item, refusal) {
	item := requests.Item{Kind: requests.KubernetesResourceRole, Resources: sorted(r.Resources),
		Selector: r.Selector}
	var no refusal
	if item.Role, no = roleOf(r, g); no.problem != "" {
		return item, no
	}
	if len(r.Resources) == 0 {
		return item, refusal{ResourceNotAllowed, "spec.resources",
			"the policy gives access to single " +
				"objects; name them in resources (--resource " + g.Resources[0].Resource + "/NAME)"}
	}
	c, ok, _ := t.Role(r.Cluster, item.Role.Name)
	if !ok {
		return item, refusal{NothingToGrant, "spec.policy",
			fmt.Sprintf("what the role %s allows is not "+
				"known; run `pullgrant catalog --cluster %s`", item.Role.Name, r.Cluster)}
	}
	rules := map[string]requests.Rule{}
	for n, text := range r.Resources {
		at := fmt.Sprintf("spec.resources[%d]", n)
		resource := requests.SplitResource(text)
		entries, problem := g.entries(resource, r.Selector)
		if problem != "" {
			return item, refusal{ResourceNotAllowed, at, problem}
		}
		found := 0
		for _, entry := range entries {
			names, match := entry.gives(resource, r.Selector)
			for _, rule := range g.on(c.Spec.Rules, resource, entry.Verbs) {
				found++
				rule.Names, rule.Match = names, match
				addRule(rules, rule)
			}
		}
		if found == 0 {
			return item, refusal{NothingToGrant, at, fmt.Sprintf("the role %s allows nothing on %s",
				item.Role.Name, requests.Quote(text))}
		}
	}
	if r.Selector != "" && !slices.ContainsFunc(r.Resources,
		func(text string) bool { return requests.SplitResource(text).Name == "" }) {
		return item, refusal{ResourceNotAllowed, "spec.selector",
			"it is about resources without a " +
				"name, and there are none; name a kind alone in resources (--resource pods), " +
				"or leave it out"}
	}
	for _, key := range sortedKeys(rules) {
		item.Allows = append(item.Allows, rules[key])
	}
	if len(item.Allows) > requests.MaxRules {
		return item, refusal{ResourceNotAllowed, "spec.resources",
			fmt.Sprintf("it takes %d rules, more "+
				"than the %d of one Role; ask for fewer kinds of objects", len(item.Allows),
				requests.MaxRules)}
	}
	return item, refusal{}
}

// offeredResourceRoles is what can be asked for: of each role and namespace, the rules without the
// names that a request brings. A role that is not in the catalogue gives nothing yet.
func offeredResourceRoles(t Tree, cluster string, g GrantSpec) (all []requests.Item) {
	for _, role := range g.offered() {
		rules := map[string]requests.Rule{}
		c, _, _ := t.Role(cluster, role)
		for _, e := range g.Resources {
			for _, name := range append(rbac.Named(c.Spec.Rules), "") {
				for _, rule := range g.on(c.Spec.Rules, requests.Resource{Kind: e.Resource,
					Name: name}, e.Verbs) {
					if name == "" {
						rule.Match = e.offers()
					}
					addRule(rules, rule)
				}
			}
		}
		item := requests.Item{Kind: requests.KubernetesResourceRole,
			Role: requests.Role{Kind: requests.KindClusterRole, Name: role}}
		for _, e := range g.Resources {
			for _, glob := range e.Names {
				item.Resources = append(item.Resources, e.Resource+"/"+glob)
			}
			if e.Selectors {
				item.Resources = append(item.Resources, e.Resource)
			}
		}
		for _, key := range sortedKeys(rules) {
			item.Allows = append(item.Allows, rules[key])
		}
		for _, item.Namespace = range g.places() {
			all = append(all, item)
		}
	}
	return all
}

// places are the namespaces of a grant; "" stands for the whole cluster.
func (g GrantSpec) places() []string {
	if g.Scope != "" {
		return []string{""}
	}
	return g.AllowedNamespaces
}

func (g GrantSpec) reaches(namespace string) bool { return slices.Contains(g.places(), namespace) }

// on is what a grant gives of a role's rules on an object. In the whole cluster subresources are
// left out: the agent would have to hold them.
func (g GrantSpec) on(rules []rbac.RoleRule, object requests.Resource,
	verbs []string) []requests.Rule {
	all := rbac.On(rules, object, verbs)
	if g.Scope == "" {
		return all
	}
	return slices.DeleteFunc(all, func(r requests.Rule) bool {
		return strings.Contains(r.Resource,
			"/")
	})
}

// heldVerbs are those that the agent may come to hold in the whole cluster, and neverHeld what it
// may not hold even these on: RBAC lets nobody write a ClusterRole with more than they hold, so a
// policy of that scope widens what the agent itself reads.
var heldVerbs = []string{"get", "list", "watch"}

const neverHeld = `^(secrets|serviceaccounts|.*\.(rbac\.authorization|admissionregistration|` +
	`certificates|authentication)\.k8s\.io)$`

var neverHeldPattern = regexp.MustCompile(neverHeld)

// checkScope finds what is wrong with where a grant holds.
func checkScope(d *requests.Document, at string, g GrantSpec) {
	if g.Scope == "" {
		d.Require(at + ".allowedNamespaces")
		checkDefaultNamespace(d, at, g)
		return
	}
	for _, field := range []string{"allowedNamespaces", "defaultNamespace"} {
		if d.Has(at + "." + field) {
			d.Add(at+"."+field, "scope", "scope: %s is about no namespace; remove one of the two",
				g.Scope)
		}
	}
	for n, e := range g.Resources {
		in := fmt.Sprintf("%s.resources[%d]", at, n)
		if neverHeldPattern.MatchString(e.Resource) {
			d.Check(in+".resource", "scope", e.Resource,
				"the agent itself would have to read it in the "+
					"whole cluster; give it in namespaces, or by a KubernetesClusterRoleBinding")
		}
		if len(e.Verbs) == 0 {
			d.Add(in, "scope", "with scope the verbs must be named, of %s: the agent itself has to hold "+
				"them; more goes by a KubernetesClusterRoleBinding", strings.Join(heldVerbs, ", "))
		}
		for v, verb := range e.Verbs {
			if !slices.Contains(heldVerbs, verb) {
				d.Check(fmt.Sprintf("%s.verbs[%d]", in, v), "scope", verb,
					"the agent itself would have "+
						"to hold it in the whole cluster; give it by a KubernetesClusterRoleBinding")
			}
		}
	}
}
