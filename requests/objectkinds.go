package requests

import (
	"fmt"
	"strings"
)

// The kinds of objects that Kubernetes itself has, each with kubectl's short names and Teleport's
// (https://kubernetes.io/docs/reference/kubectl/#resource-types).
const (
	namespacedKinds = `
		bindings
		configmaps cm
		controllerrevisions.apps
		cronjobs.batch cj
		csistoragecapacities.storage.k8s.io
		daemonsets.apps ds
		deployments.apps deploy
		endpoints ep
		endpointslices.discovery.k8s.io
		events ev
		horizontalpodautoscalers.autoscaling hpa
		ingresses.networking.k8s.io ing
		jobs.batch
		leases.coordination.k8s.io
		limitranges limits
		networkpolicies.networking.k8s.io netpol
		persistentvolumeclaims pvc
		poddisruptionbudgets.policy pdb
		pods po
		podtemplates
		replicasets.apps rs
		replicationcontrollers rc
		resourcequotas quota
		rolebindings.rbac.authorization.k8s.io
		roles.rbac.authorization.k8s.io kube_role
		secrets
		serviceaccounts sa
		services svc
		statefulsets.apps sts`
	clusterKinds = `
		certificatesigningrequests.certificates.k8s.io csr
		clusterrolebindings.rbac.authorization.k8s.io
		clusterroles.rbac.authorization.k8s.io
		csidrivers.storage.k8s.io
		csinodes.storage.k8s.io
		customresourcedefinitions.apiextensions.k8s.io crd crds
		flowschemas.flowcontrol.apiserver.k8s.io
		ingressclasses.networking.k8s.io
		mutatingwebhookconfigurations.admissionregistration.k8s.io
		namespaces ns
		nodes no kube_node
		persistentvolumes pv
		priorityclasses.scheduling.k8s.io pc
		prioritylevelconfigurations.flowcontrol.apiserver.k8s.io
		runtimeclasses.node.k8s.io
		storageclasses.storage.k8s.io sc
		validatingadmissionpolicies.admissionregistration.k8s.io
		validatingadmissionpolicybindings.admissionregistration.k8s.io
		validatingwebhookconfigurations.admissionregistration.k8s.io
		volumeattachments.storage.k8s.io`
)

// objectKind is a kind of object as requests name it.
type objectKind struct {
	name        string // as KindPattern has it
	clusterWide bool   // its objects stand in no namespace
}

// objectKinds has each kind under all its names, in lower case.
var objectKinds = func() map[string]objectKind {
	all := map[string]objectKind{}
	add := func(lines string, clusterWide bool) {
		for line := range strings.Lines(strings.TrimSpace(lines)) {
			names := strings.Fields(line)
			kind := objectKind{names[0], clusterWide}
			resource, group := SplitKind(kind.name)
			for _, name := range append(names[1:], resource, singular(resource)) {
				all[name] = kind
				if group != "" {
					all[name+"."+group] = kind
				}
			}
		}
	}
	add(namespacedKinds, false)
	add(clusterKinds, true)
	return all
}()

func singular(plural string) string {
	if stem, ok := strings.CutSuffix(plural, "ies"); ok {
		return stem + "y"
	}
	if stem, ok := strings.CutSuffix(plural, "sses"); ok {
		return stem + "ss"
	}
	return strings.TrimSuffix(plural, "s")
}

// What Teleport 18 puts before the plural of a resource: in a namespace, or of the whole cluster.
const kubeNamespaced, kubeWide = "kube:ns:", "kube:cw:"

// objectKindOf finds a kind by one of its names, in any case. What a cluster has beside Kubernetes'
// own must be written as KindPattern has it, with its group: its plural is not known here.
func objectKindOf(text string) (kind objectKind, problem string) {
	name := strings.ToLower(text)
	name, inNamespace := strings.CutPrefix(name, kubeNamespaced)
	name, clusterWide := strings.CutPrefix(name, kubeWide)
	if kind, ok := objectKinds[name]; ok && (!inNamespace || !kind.clusterWide) {
		return kind, ""
	}
	if strings.HasPrefix(name, "*") {
		return objectKind{}, "all kinds of objects are not asked for as a resource; ask without " +
			"--resource under a policy that gives a role, a " + KubernetesRoleBinding + " or a " +
			KubernetesClusterRoleBinding
	}
	if !strings.Contains(name, ".") || CheckKind(name) != "" {
		return objectKind{}, fmt.Sprintf("the kind %s is not known; write the plural of the "+
			"resource with "+
			"its API group, such as deployments.apps or widgets.example.com", Quote(text))
	}
	return objectKind{name, clusterWide}, ""
}

// CheckFullKind tells what is wrong with a kind of object that must be one of Kubernetes' own by its
// full name, or name its API group; empty when nothing is. Any other would be a kind that no cluster
// has.
func CheckFullKind(kind string) string {
	known, problem := objectKindOf(kind)
	if problem == "" && known.name != kind {
		problem = "write " + known.name
	}
	return problem
}
