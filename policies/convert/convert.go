// Package convert writes what the files of other tools say as files of an access repository: Kudo's
// EscalationPolicy and Escalation, k8sudo's SudoRequest and the RBAC that it goes by,
// kube-request-access' AccessRequest, and Teleport's roles. What has no counterpart is a finding where
// it stands, never left out in silence; docs/convert.md has what becomes of each field.
package convert

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/requests"
)

// Options are what files of ours say and the others do not.
type Options struct {
	Cluster   string    // none of the formats names one
	Policy    string    // of requests that name none
	Requester string    // GitHub login of who asks; "": the user of the source, where that is a login
	Reason    string    // of requests that have none
	Today     time.Time // the day in the names of requests
}

// Source is one file of another tool: YAML, of as many documents as there are.
type Source struct {
	Name string
	Data []byte
}

// File is one file of an access repository.
type File struct {
	Path string
	Data []byte
}

// Rules of the findings beside those of the files that were made.
const (
	// RuleNoCounterpart is about something that was left out or became something else.
	RuleNoCounterpart = "no-counterpart"
	// RuleUnreadable is about something of which nothing was made.
	RuleUnreadable = "unreadable"
)

// converter is one conversion.
type converter struct {
	Options
	files    []File
	findings []requests.Finding
	roles    []*role // of Teleport, by which each other's words are understood

	sudoers, bindings []*document // ClusterRoles by which k8sudo goes, and who is bound to them
}

// Convert makes files of ours out of others, in their order. The findings are in order too: what has
// no counterpart, what could not be read, and what is wrong with the files that were made, each at
// the place in the source that it comes from. Without findings every file loads.
func Convert(sources []Source, o Options) ([]File, []requests.Finding) {
	c := &converter{Options: o}
	var all []*document
	for _, source := range sources {
		all = append(all, c.read(source)...)
	}
	for _, d := range all {
		d.convert()
	}
	c.convertRoles()
	c.convertSudoers()
	requests.SortFindings(c.findings)
	return c.files, slices.Compact(c.findings)
}

// kinds are what is made of each kind, by apiVersion and kind. Teleport's have no apiVersion.
var kinds = map[string]func(*document){
	"k8s.kudo.dev/v1alpha1 EscalationPolicy":  (*document).escalationPolicy,
	"k8s.kudo.dev/v1alpha1 Escalation":        (*document).escalation,
	"k8sudo.jetstack.io/v1alpha1 SudoRequest": (*document).sudoRequest,
	rbacGroup + "/v1 ClusterRole":             (*document).clusterRole,
	rbacGroup + "/v1 ClusterRoleBinding":      (*document).clusterRoleBinding,
	"spreadgroup.com/v1 AccessRequest":        (*document).accessRequest,
	"spreadgroup.com/v1 AccessGrant": func(d *document) {
		d.tell(d.root, "kind", "an AccessGrant is an approval; here that is a review of the pull request "+
			"on GitHub")
	},
	" role": (*document).teleport,
}

func (d *document) convert() {
	read, known := kinds[d.kind()]
	if !known {
		d.unreadable(d.root, "apiVersion is %s and kind %s; read are Kudo's EscalationPolicy and "+
			"Escalation (k8s.kudo.dev/v1alpha1), k8sudo's SudoRequest (k8sudo.jetstack.io/v1alpha1) and the "+
			"ClusterRoles and ClusterRoleBindings (rbac.authorization.k8s.io/v1) that it goes by, "+
			"kube-request-access' AccessRequest (spreadgroup.com/v1) and Teleport's role",
			requests.Quote(text(d.root, "apiVersion")), requests.Quote(text(d.root, "kind")))
		return
	}
	read(d)
}

// kind is what the document says it is.
func (d *document) kind() string { return text(d.root, "apiVersion") + " " + text(d.root, "kind") }

// tell records what has no counterpart: the field of a node, why, and what to do instead.
func (d *document) tell(n *yaml.Node, field, format string, args ...any) {
	d.told = append(d.told, field)
	d.add(n, RuleNoCounterpart, "%s: %s", field, fmt.Sprintf(format, args...))
}

// unreadable records that nothing was made of a node.
func (d *document) unreadable(n *yaml.Node, format string, args ...any) {
	d.add(n, RuleUnreadable, format, args...)
}
