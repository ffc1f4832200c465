package render

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/pullgrant/pullgrant/requests"
)

// Agent is the name of the agent's ServiceAccount and of everything else that is there once and
// only for it.
const Agent = "pullgrant-agent"

// Names of the expirer. Its rights have another one, as the fence keeps pullgrant-* for what the
// agent makes.
const (
	Expirer       = "pullgrant-expirer" // ServiceAccount, Deployment and what belongs to that
	ExpirerRights = "pullgrant:expirer" // ClusterRole and ClusterRoleBinding
)

// LabelPartOf is on every object of the footprint, with the value ManagedBy. Objects of grants have
// LabelManagedBy instead, by which the fence knows them.
const LabelPartOf = "app.kubernetes.io/part-of"

// Footprint is what the agent of one cluster needs there.
type Footprint struct {
	Cluster string          // its name in the access repository
	Grants  []requests.Item // all that the policies let people ask for
	Image   string          // that holds the program
	Args    []string        // of `pullgrant sync`, but for its secrets and its port
	// GitHubAPI is the address of the API of a GitHub Enterprise; empty for github.com.
	GitHubAPI string
	// AWSAuth says that the cluster is on EKS and lets people in by aws-auth, which is to be kept in
	// step with the grants.
	AWSAuth bool
	// ExecAudit are the addresses (CIDRs) from which API servers tell of commands that were used;
	// none: nobody does.
	ExecAudit []string
	// Outside are hosts beside GitHub that the agent asks.
	Outside []Outside
	// Channels says that policies have channels told of what becomes of requests.
	Channels bool
}

// Object is one Kubernetes object, with apiVersion and kind.
type Object interface {
	metav1.Object
	runtime.Object
}

// Install is everything the agent needs in its cluster, and the expirer beside it, in the order in
// which it can be created: the fence stands before there are rights to fence, what ends access
// before what gives it, and the agent starts last. The same footprint
// always gives the same objects. The namespaces that are granted in and the Secret pullgrant-agent
// are not among them.
func Install(f Footprint) []Object {
	fence := Fence()
	if f.AWSAuth {
		policy, binding := AWSFence()
		fence = append(fence, &policy, &binding)
	}
	return slices.Concat(fence, Rights(f), []Object{execAny()}, workload(f))
}

// Fence is FencePolicies and FenceBindings.
func Fence() (objects []Object) {
	for _, p := range FencePolicies() {
		objects = append(objects, &p)
	}
	for _, b := range FenceBindings() {
		objects = append(objects, &b)
	}
	return objects
}

// Rights is the agent's namespace and ServiceAccount, and all it may do by RBAC: read and delete
// what grants are made of everywhere, so that no change of a policy strands one, and create it, for
// the given roles only, in the given namespaces only. Beside them are those of the expirer.
func Rights(f Footprint) []Object {
	byNamespace := map[string][]requests.Item{}
	for _, i := range f.Grants {
		byNamespace[i.Namespace] = append(byNamespace[i.Namespace], i)
	}
	all := slices.Concat(everywhere("get", "list", "watch", "delete"), []rbacv1.PolicyRule{
		allow("", "namespaces", "get", "list", "watch"), // a namespace that was replaced has another UID
	}, readsFence(), watchesExec(), readsRights(), rightsFor(byNamespace[""]))
	delete(byNamespace, "")
	objects := slices.Concat([]Object{namespace(requests.AgentNamespace)}, rightsEverywhere(Agent,
		Agent, all),
		rightsEverywhere(Expirer, ExpirerRights, expirerRights()))
	objects = append(objects, rightsIn(requests.AgentNamespace,
		allow("", "configmaps", "get", "list", "watch", "create", "update", "delete"), // one for each grant
		// which cannot be limited to a name
		allow("coordination.k8s.io", "leases", "create"),
		named(allow("coordination.k8s.io", "leases", "get", "update", "patch"), Agent),
		allow("", "events", "create", "patch"),
		allow("events.k8s.io", "events", "create", "patch"))...)
	for _, in := range slices.Sorted(maps.Keys(byNamespace)) {
		objects = append(objects, rightsIn(in, rightsFor(byNamespace[in])...)...)
	}
	if slices.ContainsFunc(f.Grants, requests.Item.Impersonates) {
		objects = append(objects, namespace(requests.GrantsNamespace))
		objects = append(objects, rightsIn(requests.GrantsNamespace, homeRights()...)...)
	}
	if f.AWSAuth {
		objects = append(objects, awsRights()...)
	}
	return objects
}

// rightsFor are what it takes to make such items.
func rightsFor(items []requests.Item) (rules []rbacv1.PolicyRule) {
	for _, k := range kinds {
		here := slices.DeleteFunc(slices.Clone(items),
			func(i requests.Item) bool { return i.Kind != k.name })
		if len(here) > 0 {
			rules = append(rules, k.rights(here)...)
		}
	}
	return rules
}

// expirerRights are few: what it deletes is limited by the fence, which it reads only to tell when
// that is missing.
func expirerRights() []rbacv1.PolicyRule {
	return append(everywhere("list", "watch", "delete"), readsFence()...)
}

func readsFence() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		named(allow("admissionregistration.k8s.io", "validatingadmissionpolicies", "get"),
			fenceNames...),
		named(allow("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "get"),
			fenceNames...),
	}
}

// watchesExec is what it takes to see at once that commands are not limited any more.
func watchesExec() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		named(allow("admissionregistration.k8s.io", "validatingadmissionpolicies", "list", "watch"),
			FenceExec),
		named(allow("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "list",
			"watch"), FenceExec),
	}
}

// readsRights is what it takes to see all that the agent may do and where it comes from, whether a
// role that a policy gives is as its approvers saw it, and whether RBAC lets somebody use a verb on
// it. It gives no access: a role is no secret, and who has it the agent sees in all bindings.
func readsRights() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		allow(rbacv1.GroupName, "clusterrolebindings", "list"),
		allow(rbacv1.GroupName, "clusterroles", "get"),
		allow(rbacv1.GroupName, "roles", "get"),
		allow("authorization.k8s.io", "subjectaccessreviews", "create"),
	}
}

// rightsEverywhere are a ServiceAccount and what it may do in all namespaces.
func rightsEverywhere(account, role string, rules []rbacv1.PolicyRule) []Object {
	return []Object{
		&corev1.ServiceAccount{TypeMeta: typeMeta(corev1.SchemeGroupVersion, "ServiceAccount"),
			ObjectMeta:                   objectMeta(requests.AgentNamespace, account),
			AutomountServiceAccountToken: new(bool)},
		&rbacv1.ClusterRole{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion, "ClusterRole"),
			ObjectMeta: objectMeta("", role), Rules: rules},
		&rbacv1.ClusterRoleBinding{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion,
			"ClusterRoleBinding"),
			ObjectMeta: objectMeta("", role),
			RoleRef:    roleRef("ClusterRole", role), Subjects: to(account)},
	}
}

// rightsIn is what the agent may do in one namespace.
func rightsIn(namespace string, rules ...rbacv1.PolicyRule) []Object {
	return localRights(namespace, Agent, Agent, rules...)
}

// localRights are what a ServiceAccount may do in one namespace.
func localRights(namespace, account, role string, rules ...rbacv1.PolicyRule) []Object {
	return []Object{
		&rbacv1.Role{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion, "Role"),
			ObjectMeta: objectMeta(namespace, role), Rules: rules},
		&rbacv1.RoleBinding{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion, "RoleBinding"),
			ObjectMeta: objectMeta(namespace, role),
			RoleRef:    roleRef("Role", role), Subjects: to(account)},
	}
}

func roleRef(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

func to(account string) []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: requests.AgentNamespace,
		Name: account}}
}

func allow(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource},
		Verbs: verbs}
}

func named(rule rbacv1.PolicyRule, names ...string) rbacv1.PolicyRule {
	rule.ResourceNames = slices.Compact(slices.Sorted(slices.Values(names)))
	return rule
}

func namespace(name string) Object {
	meta := objectMeta("", name)
	for _, mode := range []string{"enforce", "audit", "warn"} {
		meta.Labels["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	return &corev1.Namespace{TypeMeta: typeMeta(corev1.SchemeGroupVersion, "Namespace"),
		ObjectMeta: meta}
}

func typeMeta(version schema.GroupVersion, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: version.String(), Kind: kind}
}

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name,
		Labels: map[string]string{LabelPartOf: ManagedBy}}
}
