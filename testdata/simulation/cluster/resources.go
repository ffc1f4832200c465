package cluster

import (
	"reflect"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resource is one kind of object that the cluster keeps.
type resource struct {
	schema.GroupVersionResource
	kind    string
	example any // of the type that says which fields there are
	global  bool
	names   apivalidation.ValidateNameFunc
	// status tells that there is a subresource of that name, which alone changes the field.
	status bool
	// counted tells that metadata.generation counts the changes of spec.
	counted bool
	// versioned tells that an update must name the version that it changes.
	versioned bool
	// put tells that an update of what is not there creates it.
	put bool
	// kept are the fields that never change.
	kept []string
	// fields are those that a field selector may name, besides name and namespace.
	fields []string
}

func (r *resource) apiVersion() string { return r.GroupVersion().String() }

func (r *resource) groupKind() schema.GroupKind {
	return schema.GroupKind{Group: r.Group, Kind: r.kind}
}

// fresh is a pointer to an empty value of the type.
func (r *resource) fresh() any { return reflect.New(reflect.TypeOf(r.example)).Interface() }

func row(group, name, kind string, example any) *resource {
	return &resource{GroupVersionResource: schema.GroupVersionResource{Group: group, Version: "v1",
		Resource: name}, kind: kind, example: example, names: apivalidation.NameIsDNSSubdomain}
}

// segment tells what is wrong with a name that need only be a part of a path.
func segment(name string, prefix bool) []string {
	if !prefix && (name == "." || name == "..") || strings.ContainsAny(name, "/%") {
		return []string{"must be a part of a path: neither . nor .., without / and %"}
	}
	return nil
}

// resources is the table of all of them; one more is one more row.
var resources = func() []*resource {
	const rbac, admission = rbacv1.GroupName, admissionv1.GroupName
	global := func(r *resource) *resource { r.global = true; return r }
	free := func(r *resource) *resource { r.names, r.put = segment, true; return r }
	namespaces := global(row("", "namespaces", "Namespace", corev1.Namespace{}))
	namespaces.names, namespaces.status = apivalidation.NameIsDNSLabel, true
	namespaces.fields = []string{"status.phase"}
	jobs := row(batchv1.GroupName, "jobs", "Job", batchv1.Job{})
	jobs.status, jobs.counted = true, true
	jobs.kept = []string{"spec.completions", "spec.selector", "spec.template", "spec.completionMode",
		"spec.managedBy"}
	leases := row(coordinationv1.GroupName, "leases", "Lease", coordinationv1.Lease{})
	leases.versioned = true
	bindings := free(row(rbac, "rolebindings", "RoleBinding", rbacv1.RoleBinding{}))
	wide := free(global(row(rbac, "clusterrolebindings", "ClusterRoleBinding",
		rbacv1.ClusterRoleBinding{})))
	bindings.kept, wide.kept = []string{"roleRef"}, []string{"roleRef"}
	pods := row("", "pods", "Pod", corev1.Pod{})
	pods.fields, pods.status = []string{"spec.nodeName", "status.phase"}, true
	secrets := row("", "secrets", "Secret", corev1.Secret{})
	secrets.fields = []string{"type"}
	deployments := row(appsv1.GroupName, "deployments", "Deployment", appsv1.Deployment{})
	deployments.status, deployments.counted = true, true
	sets := row(appsv1.GroupName, "replicasets", "ReplicaSet", appsv1.ReplicaSet{})
	sets.status, sets.counted = true, true
	policies := global(row(admission, "validatingadmissionpolicies", "ValidatingAdmissionPolicy",
		admissionv1.ValidatingAdmissionPolicy{}))
	policies.status, policies.counted = true, true
	events := row("", "events", "Event", corev1.Event{})
	events.fields = []string{"involvedObject.kind", "involvedObject.name", "reason", "type"}
	return []*resource{
		namespaces, secrets, pods, events, jobs, leases, deployments, sets, bindings, wide, policies,
		row("", "configmaps", "ConfigMap", corev1.ConfigMap{}),
		row("", "serviceaccounts", "ServiceAccount", corev1.ServiceAccount{}),
		row("", "services", "Service", corev1.Service{}),
		row("", "replicationcontrollers", "ReplicationController", corev1.ReplicationController{}),
		free(row(rbac, "roles", "Role", rbacv1.Role{})),
		free(global(row(rbac, "clusterroles", "ClusterRole", rbacv1.ClusterRole{}))),
		global(row(admission, "validatingadmissionpolicybindings",
			"ValidatingAdmissionPolicyBinding", admissionv1.ValidatingAdmissionPolicyBinding{})),
		global(row(schedulingv1.GroupName, "priorityclasses", "PriorityClass",
			schedulingv1.PriorityClass{})),
		row(networkingv1.GroupName, "networkpolicies", "NetworkPolicy",
			networkingv1.NetworkPolicy{}),
		row(policyv1.GroupName, "poddisruptionbudgets", "PodDisruptionBudget",
			policyv1.PodDisruptionBudget{}),
	}
}()

// byName finds the row of a resource as a path of the API names it; nil where none is served.
func byName(group, name string) *resource {
	for _, r := range resources {
		if r.Group == group && r.Resource == name {
			return r
		}
	}
	return nil
}

// byKind finds the row of an object; nil where none is served.
func byKind(apiVersion, kind string) *resource {
	for _, r := range resources {
		if r.apiVersion() == apiVersion && r.kind == kind {
			return r
		}
	}
	return nil
}

// target is what a path of the API is about. Without a resource it is about none of objects.
type target struct {
	group, version, resource, sub string
	namespace, name               string
}

// parse takes a path apart:
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
func parse(url string) (t target, ok bool) {
	parts := strings.Split(strings.Trim(url, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		t.version, parts = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		t.group, t.version, parts = parts[1], parts[2], parts[3:]
	default:
		return t, false
	}
	if parts[0] == "namespaces" && len(parts) > 1 {
		t.namespace = parts[1]
		if len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
			parts = parts[2:]
		}
	}
	t.resource = parts[0]
	if len(parts) > 1 {
		t.name = parts[1]
	}
	if len(parts) > 2 {
		t.sub = strings.Join(parts[2:], "/")
	}
	return t, true
}
