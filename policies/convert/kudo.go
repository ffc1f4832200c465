package convert

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Kudo's formats are in https://github.com/jlevesy/kudo: types.go of v1alpha1 and its documentation,
// also of before durations and namespaces came in twos.

const rbacGroup = "rbac.authorization.k8s.io"

// escalationPolicy makes a policy of Kudo's one of ours, in place: the words are the same, so its
// order and comments stay.
func (d *document) escalationPolicy() {
	root, metadata, spec := d.root, field(d.root, "metadata"), field(d.root, "spec")
	d.keep(root, "", "apiVersion", "kind", "metadata", "spec")
	d.keep(metadata, "metadata", "name")
	d.keep(spec, "spec", "subjects", "challenges", "target")
	field(root, "apiVersion").Value = requests.APIVersion
	field(root, "kind").Value = policies.KindAccessPolicy
	d.parties(field(spec, "subjects"), "spec.subjects")
	d.challenges(spec)
	d.target(field(spec, "target"))
	if spec != nil {
		setFirst(spec, "clusters", list(spec, scalar(d.Cluster, spec)))
	}
	d.policy(root)
}

// policy writes a policy.
func (d *document) policy(root *yaml.Node) {
	name := field(field(root, "metadata"), "name")
	if problem := requests.CheckName(value(name)); problem != "" {
		at := d.root
		if name != nil {
			at = name
		}
		d.unreadable(at, "metadata.name is %s; %s, so nothing was made of it",
			requests.Quote(value(name)), problem)
		return
	}
	d.write(policies.Path(name.Value), root, func(path string, data []byte) []requests.Finding {
		_, findings := policies.ParsePolicy(path, data)
		return findings
	})
}

// parties are people and groups as RBAC names them.
func (d *document) parties(n *yaml.Node, path string) {
	for i, party := range items(n) {
		at := below(path, i)
		if text(party, "apiGroup") == rbacGroup { // which people and groups always have
			remove(party, "apiGroup")
		}
		d.keep(party, at, "kind", "name")
		if name := field(party, "name"); text(party, "kind") == policies.PartyUser && name != nil {
			d.tell(name, at+".name", "%s is a user of Kubernetes there and is taken for a GitHub login "+
				"here; see that it is the same person", requests.Quote(value(name)))
		}
	}
}

func (d *document) challenges(spec *yaml.Node) {
	const path = "spec.challenges"
	if spec != nil && isEmpty(field(spec, "challenges")) {
		owners := mapping(spec)
		set(owners, "kind", scalar(policies.CodeOwnerReview, spec))
		set(spec, "challenges", list(spec, owners))
		d.tell(spec, path, "there are none, so whoever may ask gets access there; here somebody "+
			"approves: a %s was put in", policies.CodeOwnerReview)
		return
	}
	for i, challenge := range items(field(spec, "challenges")) {
		at := below(path, i)
		d.keep(challenge, at, "kind", "reviewers")
		if kind := field(challenge, "kind"); value(kind) == "TwoFactor" {
			d.tell(kind, at+".kind", "TwoFactor, an early word of Kudo's for the approval of a reviewer, "+
				"was made a %s; it asks for no second factor", policies.PeerReview)
			kind.Value = policies.PeerReview
		}
		d.parties(field(challenge, "reviewers"), at+".reviewers")
	}
}

func (d *document) target(target *yaml.Node) {
	const path = "spec.target"
	d.keep(target, path, "duration", "defaultDuration", "maxDuration", "grants")
	if only := field(target, "duration"); only != nil {
		rename(target, "duration", "defaultDuration")
		if field(target, "maxDuration") == nil {
			set(target, "maxDuration", scalar(value(only), only))
		}
	}
	d.duration(target, path, "defaultDuration")
	d.duration(target, path, "maxDuration")
	for i, grant := range items(field(target, "grants")) {
		at := below(path+".grants", i)
		d.keep(grant, at, "kind", "namespace", "defaultNamespace", "allowedNamespaces", "roleRef")
		d.keep(field(grant, "roleRef"), at+".roleRef", "kind", "name", "apiGroup")
		rename(grant, "namespace", "defaultNamespace")
		// Kudo gives the default whether or not it is in the list.
		namespace, allowed := field(grant, "defaultNamespace"), field(grant, "allowedNamespaces")
		is := func(n *yaml.Node) bool { return value(n) == value(namespace) }
		switch {
		case value(namespace) == "":
		case isEmpty(allowed):
			set(grant, "allowedNamespaces", list(namespace, scalar(value(namespace), namespace)))
		case allowed.Kind == yaml.SequenceNode && !slices.ContainsFunc(allowed.Content, is):
			allowed.Content = append(allowed.Content, scalar(value(namespace), namespace))
		}
	}
}
