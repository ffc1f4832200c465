package rbac

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Risk is one thing a reviewer must know about a set of rules, in words that follow "the role":
// "can read Secrets".
type Risk struct {
	Code string `json:"code"` // stable
	Text string `json:"text"`
	High bool   `json:"high"` // whoever has it can become more, or keep it
}

// riskKind is one kind of risk: holding one of the verbs on one of the resources, by name as
// kubectl writes it.
type riskKind struct {
	code string
	high bool
	wide bool   // the resources belong to no namespace, so a RoleBinding does not give them
	ours bool   // it reaches pullgrant's namespace, in which no RoleBinding of a grant ever is
	lets string // the name of the danger that this is, if it is one
	text string // %s, if there: the resources held
	on   []string
	do   []string
}

const (
	rbacGroup      = ".rbac.authorization.k8s.io"
	admissionGroup = ".admissionregistration.k8s.io"
	certificates   = ".certificates.k8s.io"
	authentication = ".authentication.k8s.io"
	ifBoundWide    = " (if bound for the whole cluster)"
	anyAccount     = "so can act as any ServiceAccount in the namespace"
)

var (
	read      = []string{"get", "list", "watch"}
	write     = []string{"create", "update", "patch"}
	change    = []string{"update", "patch"}
	remove    = []string{"delete", "deletecollection"}
	overwrite = slices.Concat(write, remove)
	connect   = []string{"get", "create"} // by WebSocket get sufficed until Kubernetes 1.35
	proxy     = []string{"get", "create", "update", "patch", "delete"}
	templates = []string{"deployments.apps", "replicasets.apps", "statefulsets.apps",
		"daemonsets.apps", "jobs.batch", "cronjobs.batch", "replicationcontrollers"}
)

// riskKinds are what Kubernetes itself warns of, and the ways found by trying: in the order they
// are told.
// https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks
var riskKinds = []riskKind{
	{code: "escalate", high: true, lets: dangerEscalate, text: "can make access permanent: can " +
		"give roles any right " +
		"at all (escalate on %s)",
		on: []string{"roles" + rbacGroup, "clusterroles" + rbacGroup}, do: []string{"escalate"}},
	{code: "bind", high: true, lets: dangerBind, text: "can make access permanent: can bind " +
		"roles it does not " +
		"hold (bind on %s)",
		on: []string{"roles" + rbacGroup, "clusterroles" + rbacGroup}, do: []string{"bind"}},
	{code: "writes-rbac", high: true, lets: dangerRBAC, text: "can make access permanent: can " +
		"create or change %s",
		on: []string{"rolebindings" + rbacGroup, "roles" + rbacGroup}, do: write},
	{code: "writes-cluster-rbac", high: true, lets: dangerRBAC, wide: true,
		text: "can make access permanent: can " +
			"create or change %s",
		on: []string{"clusterrolebindings" + rbacGroup, "clusterroles" + rbacGroup}, do: write},
	{code: "makes-tokens", high: true, lets: dangerTokens, text: "can make tokens of any " +
		"ServiceAccount in the " +
		"namespace, which outlive this access",
		on: []string{"serviceaccounts/token"}, do: []string{"create"}},
	{code: "impersonates-accounts", high: true, lets: dangerImpersonate, text: "can impersonate " +
		"any ServiceAccount in " +
		"the namespace",
		on: []string{"serviceaccounts", "serviceaccounts" + authentication},
		do: []string{"impersonate", "impersonate:serviceaccount"}},
	{code: "impersonates-users", high: true, lets: dangerImpersonate, wide: true,
		text: "can impersonate %s",
		on: []string{"users", "groups", "users" + authentication, "groups" + authentication,
			"nodes" + authentication},
		do: []string{"impersonate", "impersonate:user-info", "impersonate:arbitrary-node",
			"impersonate:associated-node"}},
	{code: "reads-secrets", high: true, text: "can read Secrets", on: []string{"secrets"},
		do: read},
	{code: "writes-secrets", high: true, lets: dangerTokens, text: "can write Secrets: one of " +
		"the right type is " +
		"given a ServiceAccount token without end", on: []string{"secrets"}, do: write},
	{code: "creates-pods", high: true, text: "can create %s, " + anyAccount,
		on: append([]string{"pods"}, templates...), do: []string{"create"}},
	{code: "changes-workloads", high: true, text: "can change %s, " + anyAccount, on: templates,
		do: change},
	{code: "changes-pods", high: true, text: "can change the image of running pods, so can act " +
		"as their ServiceAccounts", on: []string{"pods"}, do: change},
	{code: "adds-containers", high: true, text: "can add containers to running pods, so can act " +
		"as their ServiceAccounts",
		on: []string{"pods/ephemeralcontainers"}, do: change},
	{code: "executes", high: true, text: "can run commands in pods, so can act as their " +
		"ServiceAccounts and read what they read",
		on: []string{"pods/exec"}, do: connect},
	{code: "attaches", high: true, text: "can attach to the running processes of pods",
		on: []string{"pods/attach"}, do: connect},
	{code: "nodes-proxy", high: true, wide: true, text: "can run commands in every pod, past " +
		"all records, through nodes/proxy",
		on: []string{"nodes/proxy"}, do: proxy},
	{code: "approves-certificates", high: true, lets: dangerCertificates, wide: true,
		text: "can approve certificates, so " +
			"can make itself a login as anybody, which outlives this access",
		on: []string{"certificatesigningrequests/approval" + certificates,
			"certificatesigningrequests/status" + certificates, "signers" + certificates},
		do: []string{"update", "patch", "approve", "sign"}},
	{code: "writes-webhooks", high: true, lets: dangerAdmission, wide: true,
		text: "can see or change every object " +
			"that is written to the cluster, and let nobody write: can write %s",
		on: []string{"mutatingwebhookconfigurations" + admissionGroup,
			"validatingwebhookconfigurations" + admissionGroup}, do: overwrite},
	{code: "writes-admission", high: true, lets: dangerAdmission, wide: true,
		text: "can take away the cluster's " +
			"guards: can write %s",
		on: []string{"validatingadmissionpolicies" + admissionGroup,
			"validatingadmissionpolicybindings" + admissionGroup,
			"mutatingadmissionpolicies" + admissionGroup, "mutatingadmissionpolicybindings" +
				admissionGroup}, do: overwrite},
	{code: "writes-apis", high: true, wide: true, text: "can put a server of its own in the " +
		"place of an API: can write %s",
		on: []string{"apiservices.apiregistration.k8s.io",
			"customresourcedefinitions.apiextensions.k8s.io"}, do: write},
	{code: "writes-volumes", high: true, wide: true, text: "can reach the disks of nodes: can " +
		"write persistentvolumes", on: []string{"persistentvolumes"}, do: write},
	{code: "writes-pullgrant", high: true, ours: true, lets: dangerPullgrant,
		text: "can change or take away what pullgrant itself goes by: can write %s",
		on: append([]string{"configmaps", "leases.coordination.k8s.io", "namespaces",
			"serviceaccounts"}, templates...), do: overwrite},
	{code: "deletes-fence", high: true, ours: true, lets: dangerPullgrant,
		text: "can take pullgrant's rights away, so that it ends nothing: can delete %s",
		on: []string{"rolebindings" + rbacGroup, "roles" + rbacGroup,
			"clusterrolebindings" + rbacGroup, "clusterroles" + rbacGroup}, do: remove},
	{code: "acts-as-pullgrant", high: true, ours: true, lets: dangerPullgrant,
		text: "can act as pullgrant's own ServiceAccounts, through %s",
		on:   []string{"pods", "pods/ephemeralcontainers"}, do: write},
	{code: "executes-in-pullgrant", high: true, ours: true, lets: dangerPullgrant,
		text: "can run commands in pullgrant's own pods, through %s",
		on:   []string{"pods/exec", "nodes/proxy"}, do: proxy},
	{code: "reads-pullgrant-key", high: true, ours: true, lets: dangerPullgrant,
		text: "can read the key of pullgrant's GitHub App", on: []string{"secrets"}, do: read},
	{code: "changes-namespace", high: true, text: "can change the namespace itself, such as its " +
		"Pod Security level", on: []string{"namespaces"}, do: change},
	{code: "deletes-namespace", high: true, text: "can delete the namespace with everything in it",
		on: []string{"namespaces"}, do: remove},
	{code: "deletes-rbac", text: "can take access away from others: can delete %s",
		on: []string{"rolebindings" + rbacGroup, "roles" + rbacGroup, "clusterrolebindings" +
			rbacGroup, "clusterroles" + rbacGroup}, do: remove},
	{code: "forwards-ports", text: "can connect to every port of pods, past network policies",
		on: []string{"pods/portforward"}, do: connect},
	{code: "proxies", text: "can call what pods and services serve, past network policies (%s)",
		on: []string{"pods/proxy", "services/proxy"}, do: proxy},
}

// Risks is what a reviewer must know about rules that are bound at a scope: high risks first, then
// in a fixed order. Rules that only read what is no secret have none.
func Risks(rules []RoleRule, at Scope) []Risk {
	given := rights(rules)
	if given[right{group: wildcard, resource: wildcard, verb: wildcard}] {
		return append([]Risk{{Code: "everything", High: true, Text: "can do everything with " +
			"every resource: read Secrets, act as any ServiceAccount, make access permanent"}},
			pathRisks(Permissions(rules), at)...)
	}
	var risks []Risk
	for n := range riskKinds {
		k := &riskKinds[n]
		if k.ours && at != InCluster {
			continue
		}
		if risk, ok := k.in(given, at); ok {
			risks = append(risks, risk)
		}
	}
	risks = append(risks, wildcardRisks(Permissions(rules))...)
	risks = append(risks, pathRisks(Permissions(rules), at)...)
	slices.SortStableFunc(risks, func(a, b Risk) int { return rank(a) - rank(b) })
	return risks
}

func rank(r Risk) int {
	if r.High {
		return 0
	}
	return 1
}

// in tells whether rights hold the risk. When they do so for named objects only, the text says so.
func (k *riskKind) in(given map[right]bool, at Scope) (Risk, bool) {
	var held []string
	names, unnamed := map[string]bool{}, false
	for _, full := range k.on {
		resource, group, _ := strings.Cut(full, ".")
		found := false
		for r := range given {
			if r.url == "" && k.matches(r, group, resource) {
				found = true
				names[r.name] = true
				unnamed = unnamed || r.name == ""
			}
		}
		if found && !slices.Contains(held, resource) {
			held = append(held, resource)
		}
	}
	if len(held) == 0 {
		return Risk{}, false
	}
	text := k.text
	if strings.Contains(text, "%s") {
		text = fmt.Sprintf(text, join(held, "and"))
	}
	if !unnamed {
		text += ", but only those named " + join(quoted(slices.Sorted(maps.Keys(names))), "and")
	}
	switch {
	case at == InCluster:
		text = strings.ReplaceAll(text, "the namespace", "every namespace")
	case k.wide:
		text += ifBoundWide
	}
	return Risk{Code: k.code, Text: text, High: k.high}, true
}

func (k *riskKind) does(verb string) bool { return verb == wildcard || slices.Contains(k.do, verb) }

func (k *riskKind) matches(r right, group, resource string) bool {
	_, sub, _ := strings.Cut(resource, "/")
	return k.does(r.verb) && (r.group == wildcard || r.group == group) &&
		(r.resource == wildcard || r.resource == resource || sub != "" && r.resource == "*/"+sub)
}

// wildcardRisks tells of each place with a wildcard, which also gives what does not exist yet, and
// of false states.
func wildcardRisks(given []Permission) []Risk {
	var verbs, resources, groups, status []string
	for _, p := range given {
		what := resourceInWords(p.Group, p.Resource)
		every := slices.Contains(p.Verbs, wildcard)
		switch {
		case p.URL != "":
			continue
		case p.Resource == wildcard || strings.HasPrefix(p.Resource, "*/"):
			resources = append(resources, what)
		case p.Group == wildcard:
			groups = append(groups, what)
		}
		if every {
			verbs = append(verbs, what)
		}
		if of, ok := strings.CutSuffix(p.Resource, "/status"); ok && (every ||
			slices.ContainsFunc(p.Verbs, func(v string) bool {
				return slices.Contains(change,
					v)
			})) {
			status = append(status, resourceInWords(p.Group, of))
		}
	}
	var risks []Risk
	add := func(code, text string, found []string) {
		if len(found) > 0 {
			risks = append(risks, Risk{Code: code, Text: fmt.Sprintf(text,
				join(slices.Compact(found), "and"))})
		}
	}
	add("wildcard-verbs", "can do everything with %s, also what Kubernetes adds later", verbs)
	add("wildcard-resources", "reaches %s, also those added later", resources)
	add("wildcard-groups", "reaches %s, also those added later", groups)
	add("writes-status", "can make others believe a false state: can write the status of %s",
		status)
	return risks
}

// pathRisks tells of paths of the API server that are no resources.
func pathRisks(given []Permission, at Scope) []Risk {
	var paths []string
	high := false
	for _, p := range given {
		if p.URL != "" {
			paths = append(paths, pathInWords(p.URL))
			high = high || p.URL == wildcard || p.URL == "/*"
		}
	}
	if len(paths) == 0 {
		return nil
	}
	text := "can call " + join(slices.Compact(paths), "and")
	if at != InCluster {
		text += ifBoundWide
	}
	return []Risk{{Code: "calls-paths", High: high, Text: text}}
}
