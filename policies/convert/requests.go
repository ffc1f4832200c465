package convert

import (
	"cmp"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/requests"
)

// wish is what a request of another tool says in fields of its own names.
type wish struct {
	user   *yaml.Node // of Kubernetes, who receives access
	policy *yaml.Node // nil where the tool has none
	reason *yaml.Node
}

// escalation makes a request of one of Kudo's.
func (d *document) escalation() {
	spec := d.spec("policyName", "requestor", "reason", "namespace", "duration")
	d.duration(spec, "spec", "duration")
	d.ask(wish{field(spec, "requestor"), field(spec, "policyName"), field(spec, "reason")}, spec,
		"namespace", "duration")
}

// defaultSudo is how long k8sudo gives what has no end
// (https://github.com/james-w/k8sudo, sudorequest_controller.go).
const defaultSudo = "10m"

// sudoRequest makes a request of one of k8sudo's (https://github.com/james-w/k8sudo).
func (d *document) sudoRequest() {
	spec := d.spec("user", "role", "reason", "expires")
	if end := field(spec, "expires"); isEmpty(end) && spec != nil {
		set(spec, "duration", scalar(defaultSudo, spec))
	} else if at, err := time.Parse(time.RFC3339, value(end)); err == nil {
		set(spec, "until", scalar(requests.At(at).String(), end))
	} else if spec != nil {
		set(spec, "until", end)
	}
	d.ask(wish{user: field(spec, "user"), reason: field(spec, "reason")}, spec, "role", "duration",
		"until")
}

// accessRequest makes a request of one of kube-request-access'
// (https://github.com/spreadshirt/kube-request-access).
func (d *document) accessRequest() {
	const execField = "spec.execOptions"
	spec := d.spec("userInfo", "forObject", "validFor", "execOptions", "customKeys")
	object, options := field(spec, "forObject"), field(spec, "execOptions")
	d.keep(spec, "spec", "userInfo", "forObject", "validFor", "execOptions")
	d.keep(field(spec, "userInfo"), "spec.userInfo", "username")
	for _, output := range []string{"stdout", "stderr"} {
		if text(options, output) == "true" {
			remove(options, output)
		}
	}
	d.keep(options, execField, "apiVersion", "kind", "stdin", "tty", "container", "command")
	d.keep(object, "spec.forObject", "resource", "subResource", "name", "namespace")
	for _, part := range []struct {
		is   *yaml.Node
		want string
	}{
		{field(field(object, "resource"), "resource"), "pods"}, {field(object, "subResource"), "exec"},
	} {
		if !isEmpty(part.is) && value(part.is) != part.want {
			d.unreadable(part.is, "spec.forObject is about %s; only exec of pods is asked for as a command "+
				"here, so ask under a policy that gives a role, as nothing was made of it",
				requests.Quote(value(part.is)))
			return
		}
	}
	at := options
	if at == nil {
		at = d.root
	}
	exec := mapping(at)
	if pod := field(object, "name"); !isEmpty(pod) {
		set(exec, "pod", pod)
	}
	for _, same := range [][2]string{{"container", "container"}, {"command", "command"},
		{"stdin", "stdin"}, {"tty", "terminal"}} {
		if n := field(options, same[0]); !isEmpty(n) && value(n) != "false" {
			set(exec, same[1], n)
		}
	}
	set(spec, "exec", exec)
	for _, place := range []*yaml.Node{field(d.root, "metadata"), object} {
		if namespace := field(place, "namespace"); !isEmpty(namespace) {
			set(spec, "namespace", namespace)
		}
	}
	if isEmpty(field(spec, "validFor")) {
		d.tell(d.root, "spec.validFor", "without it the command may run once; here the policy says that, "+
			"with once: true")
	}
	rename(spec, "validFor", "duration")
	d.duration(spec, "spec", "duration")
	d.ask(wish{user: field(field(spec, "userInfo"), "username")}, spec, "namespace", "exec", "duration")
}

// spec is that of a request, with the fields that something is made of.
func (d *document) spec(names ...string) *yaml.Node {
	d.keep(d.root, "", "apiVersion", "kind", "metadata", "spec")
	d.keep(field(d.root, "metadata"), "metadata", "name", "generateName", "namespace")
	spec := field(d.root, "spec")
	d.keep(spec, "spec", names...)
	return spec
}

// ask writes a request with the named fields of a spec beside those that each has.
func (d *document) ask(w wish, from *yaml.Node, same ...string) {
	at := from
	if at == nil {
		at = d.root
	}
	requester, policy := d.requester(w.user, at), d.policyOf(w.policy, at)
	if requester == nil || policy == nil {
		return
	}
	spec := mapping(at)
	set(spec, "cluster", scalar(d.Cluster, at))
	set(spec, "policy", policy)
	set(spec, "requester", requester)
	for _, name := range same {
		if n := field(from, name); !isEmpty(n) {
			set(spec, name, n)
		}
	}
	switch {
	case !isEmpty(w.reason):
		set(spec, "reason", w.reason)
	case d.Reason != "":
		set(spec, "reason", scalar(d.Reason, at))
	default:
		d.tell(at, "spec.reason", "there is none, and here each request has one; give --reason")
	}
	metadata := field(d.root, "metadata")
	name := d.Today.UTC().Format("20060102") + "-" + requests.NamePart(requester.Value) + "-" +
		slug(cmp.Or(text(metadata, "name"), text(metadata, "generateName")))
	if len(name) > requests.MaxRequestName {
		name = strings.TrimRight(name[:requests.MaxRequestName], "-")
	}
	root := header(d.root, requests.KindAccessRequest, scalar(name, d.root))
	set(root, "spec", spec)
	d.write(requests.Path(d.Cluster, policy.Value, name), root, requestFindings)
}

func requestFindings(path string, data []byte) []requests.Finding {
	_, findings := requests.ParseRequest(path, data)
	return findings
}

// requester is the GitHub login of who asks; nil where nobody knows it.
func (d *document) requester(user, at *yaml.Node) *yaml.Node {
	switch name := value(user); {
	case d.Requester != "":
		return scalar(d.Requester, at)
	case requests.CheckLogin(name) == "":
		d.tell(user, "spec.requester", "%s is a user of Kubernetes there and is taken for a GitHub login "+
			"here; give --requester where it is another", requests.Quote(name))
		return scalar(name, user)
	default:
		d.unreadable(at, "spec.requester: whose GitHub login that is, %s, nobody says; give "+
			"--requester, as nothing was made of it", requests.Quote(name))
		return nil
	}
}

// policyOf is the policy to ask under; nil where there is none.
func (d *document) policyOf(named, at *yaml.Node) *yaml.Node {
	if isEmpty(named) {
		if d.Policy == "" {
			d.unreadable(at, "spec.policy: it names no policy, and here each request does; give "+
				"--policy, as nothing was made of it")
			return nil
		}
		return scalar(d.Policy, at)
	}
	if problem := requests.CheckName(value(named)); problem != "" {
		d.unreadable(named, "spec.policy is %s; %s, so nothing was made of it",
			requests.Quote(value(named)), problem)
		return nil
	}
	return named
}

var notInSlug = regexp.MustCompile(`[^a-z0-9]+`)

// slug is a name as the last part of a request's.
func slug(name string) string {
	return cmp.Or(strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(name), "-"), "-"), "converted")
}
