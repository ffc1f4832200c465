package convert

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Teleport's format is in https://goteleport.com/docs/reference/access-controls/roles/. A role there is
// one of three things, or several: who may request which roles, who may review that, and what it
// gives. Together they are one policy here, for each role that requests.

// teleportVersions are those that are read; later ones name kinds of objects in another way.
var teleportVersions = []string{"v3", "v4", "v5", "v6", "v7"}

const (
	requestField   = "spec.allow.request"
	reviewField    = "spec.allow.review_requests"
	groupsField    = "spec.allow.kubernetes_groups"
	resourcesField = "spec.allow.kubernetes_resources"
)

// role is a role of Teleport's.
type role struct {
	*document
	name, allow *yaml.Node
	// whether another role requests it, and whether it reviews what another requests
	requested, reviews bool
}

// teleport reads a role; it is converted when all have been read.
func (d *document) teleport() {
	version := field(d.root, "version")
	if !slices.Contains(teleportVersions, value(version)) {
		d.unreadable(orRoot(version, d), "version is %s; read are v3 to v7, so nothing was made of it",
			requests.Quote(value(version)))
		return
	}
	d.keep(d.root, "", "kind", "version", "metadata", "spec")
	metadata, spec := field(d.root, "metadata"), field(d.root, "spec")
	d.keep(metadata, "metadata", "name", "description")
	d.keep(spec, "spec", "allow", "options")
	d.keep(field(spec, "options"), "spec.options")
	r := &role{document: d, allow: field(spec, "allow"), name: field(metadata, "name")}
	if value(r.name) == "" {
		r.name = scalar("", d.root)
	}
	d.keep(r.allow, "spec.allow", "request", "review_requests", "kubernetes_groups",
		"kubernetes_resources")
	d.keep(r.request(), requestField, "roles", "search_as_roles", "thresholds", "max_duration")
	d.keep(r.review(), reviewField, "roles", "preview_as_roles")
	d.roles = append(d.roles, r)
}

func (r *role) request() *yaml.Node { return field(r.allow, "request") }
func (r *role) review() *yaml.Node  { return field(r.allow, "review_requests") }

// orRoot is a node, or where there is none the whole document.
func orRoot(n *yaml.Node, d *document) *yaml.Node {
	if n == nil {
		return d.root
	}
	return n
}

// convertRoles makes a policy of each role of Teleport's that requests others.
func (c *converter) convertRoles() {
	for _, r := range c.roles {
		r.toPolicy()
	}
	for _, r := range c.roles {
		if gives := field(r.allow, "kubernetes_groups"); !isEmpty(gives) && !r.requested {
			r.tell(gives, groupsField, "no role that was read requests this one; what is held all the "+
				"time is no request here: keep it, or convert it together with the roles that request it")
		}
		if review := r.review(); !isEmpty(review) && !r.reviews {
			r.tell(review, reviewField, "each role that was read requests more than is reviewed; it "+
				"approves nothing, so see who does")
		}
	}
}

// askedIn are the lists of what a role may request: roles, and objects that roles give.
var askedIn = []string{"roles", "search_as_roles"}

// asked are the names of the roles that a role may request.
func (r *role) asked() (all []*yaml.Node) {
	for _, list := range askedIn {
		all = append(all, items(field(r.request(), list))...)
	}
	return all
}

func (r *role) toPolicy() {
	asked := r.asked()
	if len(asked) == 0 {
		return
	}
	request := r.request()
	root, spec, target := header(r.root, policies.KindAccessPolicy, r.name), mapping(request),
		mapping(request)
	if about := field(field(r.root, "metadata"), "description"); !isEmpty(about) {
		set(spec, "description", about)
	}
	set(spec, "clusters", list(request, scalar(r.Cluster, request)))
	set(spec, "subjects", list(request, r.group()))
	if challenges := r.challenges(asked); len(challenges) > 0 {
		set(spec, "challenges", list(request, challenges...))
	}
	if most := field(request, "max_duration"); !isEmpty(most) {
		set(target, "maxDuration", most)
		r.duration(target, requestField, "maxDuration")
	} else {
		r.told = append(r.told, "spec.target.maxDuration")
		r.tell(request, requestField+".max_duration", "without it access lasts as long as a session there; "+
			"set spec.target.maxDuration")
	}
	if search := field(request, "search_as_roles"); !isEmpty(search) {
		r.tell(search, requestField+".search_as_roles", "there a request names single objects that these "+
			"roles reach; here it has what the grants give: see that it is no more than was meant")
	}
	grants := list(request)
	for _, list := range askedIn {
		for i, name := range items(field(request, list)) {
			grants.Content = append(grants.Content, r.given(name, below(requestField+"."+list, i))...)
		}
	}
	if slices.ContainsFunc(grants.Content, isWide) {
		set(target, "mode", scalar(requests.ModeImpersonate, request))
	}
	set(target, "grants", grants)
	set(spec, "target", target)
	set(root, "spec", spec)
	r.policy(root)
}

// group is a party that stands for who holds the role.
func (r *role) group() *yaml.Node {
	r.tell(r.name, "metadata.name", "who holds the role is not in its file; put their GitHub logins into "+
		"%s, as the group %s", policies.GroupsPath, requests.Quote(value(r.name)))
	group := mapping(r.name)
	set(group, "kind", scalar(policies.PartyGroup, r.name))
	set(group, "name", scalar(value(r.name), r.name))
	return group
}

// challenges are what the thresholds of a role ask for, any of which is enough.
func (r *role) challenges(asked []*yaml.Node) []*yaml.Node {
	reviewers := r.reviewers(asked)
	thresholds := items(field(r.request(), "thresholds"))
	if len(thresholds) == 0 { // one approval
		return []*yaml.Node{r.challenge(reviewers, r.request(), nil)}
	}
	var all []*yaml.Node
	for i, threshold := range thresholds {
		at := below(requestField+".thresholds", i)
		r.keep(threshold, at, "name", "approve", "deny", "filter")
		if deny := field(threshold, "deny"); value(deny) > "1" {
			r.tell(deny, at+".deny", "one request for changes holds a pull request up here, whoever of "+
				"those who may write asks for it")
		}
		if filter := field(threshold, "filter"); !isEmpty(filter) {
			r.tell(filter, at+".filter", "an expression over who approves and why has no counterpart, so "+
				"the threshold was left out; name the reviewers it means in a %s", policies.PeerReview)
			continue
		}
		all = append(all, r.challenge(reviewers, threshold, field(threshold, "approve")))
	}
	if len(all) < 2 {
		return all
	}
	any := mapping(all[0])
	set(any, "kind", scalar(policies.AnyOf, all[0]))
	set(any, "challenges", list(all[0], all...))
	return []*yaml.Node{any}
}

// challenge asks for the approval of reviewers; of the code owners where none are known.
func (r *role) challenge(reviewers []*yaml.Node, at, count *yaml.Node) *yaml.Node {
	c, kind := mapping(at), policies.PeerReview
	if len(reviewers) == 0 {
		kind = policies.CodeOwnerReview
	}
	set(c, "kind", scalar(kind, at))
	if len(reviewers) > 0 {
		set(c, "reviewers", list(at, reviewers...))
	}
	if !isEmpty(count) {
		set(c, "count", count)
	}
	return c
}

// reviewers are parties for the roles that may review what is asked for: all of it.
func (r *role) reviewers(asked []*yaml.Node) (all []*yaml.Node) {
	for _, other := range r.roles {
		patterns := items(field(other.review(), "roles"))
		covers := func(name *yaml.Node) bool {
			return slices.ContainsFunc(patterns, func(p *yaml.Node) bool {
				return isOf(value(p), value(name))
			})
		}
		if len(patterns) > 0 && !slices.ContainsFunc(asked, func(name *yaml.Node) bool { return !covers(name) }) {
			other.reviews = true
			all = append(all, other.group())
		}
	}
	if len(all) == 0 {
		r.tell(r.request(), requestField, "no role that was read may review all of it; a %s was put in",
			policies.CodeOwnerReview)
	}
	return all
}

// given is what a role that may be requested gives.
func (r *role) given(name *yaml.Node, at string) []*yaml.Node {
	if isPattern(value(name)) {
		r.tell(name, at, "%s stands for several roles; a policy names what it gives, so name each",
			requests.Quote(value(name)))
		return nil
	}
	for _, other := range r.roles {
		if value(other.name) == value(name) && value(name) != "" {
			other.requested = true
			return other.grants()
		}
	}
	r.tell(name, at, "the role %s is not in what was read; convert it together with this one",
		requests.Quote(value(name)))
	return nil
}
