package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// Question is about what somebody could do.
type Question struct {
	rbac.Access
	Namespace   string // empty: any
	ClusterWide bool   // objects of the kind stand in no namespace
}

// Asked answers the question for what a request gave: can are the things that allow it, in words;
// why is what could not be known of the others. The rules of roles are those of the catalogue in
// tree, which must be of the commit that the request was judged by. refs are the objects that its
// ledger entry names, with the digests of their rules.
func (q Question) Asked(tree policies.Tree, g requests.Grant, refs []requests.GrantRef) (
	can []string, why string) {
	for _, item := range g.Items {
		if !q.reaches(item.Namespace) {
			continue
		}
		text, doubt := "", doubted(tree, g.Cluster, item, refs)
		if doubt == "" {
			text, doubt = q.of(tree, g.Cluster, item)
		}
		if text != "" {
			can = append(can, text)
		}
		if doubt != "" {
			why = doubt
		}
	}
	return can, why
}

// reaches tells whether what is given in a namespace, or everywhere, can be about the objects in
// question. Of the kinds outside of namespaces only a namespace itself is reached from within it.
func (q Question) reaches(namespace string) bool {
	switch {
	case namespace == "":
		return true
	case q.ClusterWide:
		return q.Group == "" && q.Resource == "namespaces" && (q.Name == "" || q.Name == namespace)
	}
	return q.Namespace == "" || q.Namespace == namespace
}

// doubted tells of rules that were others than those that are read: a digest in the ledger differs.
func doubted(tree policies.Tree, cluster string, i requests.Item, refs []requests.GrantRef) string {
	at := slices.IndexFunc(refs, func(r requests.GrantRef) bool {
		return r.Namespace == i.Namespace && r.Name == i.Name && r.Role != ""
	})
	if at < 0 {
		return ""
	}
	catalogued, _, _ := tree.Role(cluster, i.Role.Name)
	if refs[at].Role == i.Role.Name && refs[at].Rules == catalogued.Spec.Hash {
		return ""
	}
	return fmt.Sprintf("the ledger names other rules of the role %s than the catalogue had",
		refs[at].Role)
}

// of answers the question for one item.
func (q Question) of(tree policies.Tree, cluster string, i requests.Item) (can, why string) {
	text := i.Brief()
	if i.Impersonates() {
		text += ", with --as"
	}
	if i.Matches() {
		return q.matching(i, text)
	}
	rules, ok := tree.Gives(cluster, i)
	if !ok {
		return "", fmt.Sprintf("the rules of the role %s are not in the catalogue", i.Role.Name)
	}
	switch all, names := rbac.Allows(rules, q.Access); {
	case all:
		return text, ""
	case q.Name == "" && len(names) > 0:
		return text + ", only on " + strings.Join(names, ", "), ""
	}
	return "", ""
}

// matching answers it for an item about objects that come and go: which they were is not recorded,
// but for what their names tell.
func (q Question) matching(i requests.Item, text string) (can, why string) {
	for _, r := range i.Allows {
		if r.Group != q.Group || r.Resource != q.Resource || !slices.Contains(r.Verbs, q.Verb) {
			continue
		}
		if q.Name == "" || slices.Contains(r.Names, q.Name) {
			return text, ""
		}
		for _, m := range r.Match {
			switch is, err := m.Matcher(); {
			case err == nil && !is(q.Name):
			case err == nil && m.Pattern != "" && m.Selector == "" && m.Deployment == "":
				return text, ""
			default:
				why = fmt.Sprintf("whether %s was one of %s then is not recorded", q.Name, m)
			}
		}
	}
	return "", why
}
