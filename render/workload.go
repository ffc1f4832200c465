package render

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/pullgrant/pullgrant/requests"
)

// Where the agent's container finds its secrets, the keys of the Secret pullgrant-agent: each key
// is a file of its name.
const (
	AppKeyFile     = "/secrets/app-key"     // of the GitHub App
	SigningKeyFile = "/secrets/signing-key" // of the ledger's commits
)

// LabelReachesAgent is on namespaces, with the value "true", whose pods may reach the agent's port:
// whoever scrapes its metrics.
const LabelReachesAgent = "pullgrant.dev/reaches-agent"

const (
	port   = 8080
	nobody = 65532 // no user of any base image
)

// workload is what runs. The agent holds the power to give access, so its pods can do nothing else.
func workload(f Footprint) []Object {
	selector := map[string]string{"app.kubernetes.io/name": Agent}
	two, one := int32(2), intstr.FromInt32(1)
	none := intstr.FromInt32(0)
	labels := map[string]string{"app.kubernetes.io/name": Agent, LabelPartOf: ManagedBy}
	return []Object{
		&schedulingv1.PriorityClass{TypeMeta: typeMeta(schedulingv1.SchemeGroupVersion,
			"PriorityClass"), ObjectMeta: objectMeta("", Agent),
			Value: 1_000_000_000, Description: "Takes access back on time, so it goes before " +
				"what users run."},
		&networkingv1.NetworkPolicy{TypeMeta: typeMeta(networkingv1.SchemeGroupVersion,
			"NetworkPolicy"),
			ObjectMeta: objectMeta(requests.AgentNamespace, Agent), Spec: network(selector)},
		&policyv1.PodDisruptionBudget{TypeMeta: typeMeta(policyv1.SchemeGroupVersion,
			"PodDisruptionBudget"),
			ObjectMeta: objectMeta(requests.AgentNamespace, Agent),
			Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &one,
				Selector: &metav1.LabelSelector{MatchLabels: selector}}},
		&appsv1.Deployment{TypeMeta: typeMeta(appsv1.SchemeGroupVersion, "Deployment"),
			ObjectMeta: objectMeta(requests.AgentNamespace, Agent),
			Spec: appsv1.DeploymentSpec{
				Replicas: &two, // one of them writes; both take access back
				Selector: &metav1.LabelSelector{MatchLabels: selector},
				Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
					RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one,
						MaxUnavailable: &none}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec: pod(f, selector)},
			}},
	}
}

func pod(f Footprint, selector map[string]string) corev1.PodSpec {
	no, yes, id := false, true, int64(nobody)
	return corev1.PodSpec{
		ServiceAccountName:           Agent,
		AutomountServiceAccountToken: &no, // the one below ends after an hour
		EnableServiceLinks:           &no,
		PriorityClassName:            Agent,
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &id,
			RunAsGroup: &id, FSGroup: &id,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
			spread("kubernetes.io/hostname",
				selector), spread("topology.kubernetes.io/zone", selector)},
		Containers: []corev1.Container{container(f)},
		Volumes:    volumes(),
	}
}

func spread(over string, selector map[string]string) corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{TopologyKey: over, MaxSkew: 1,
		WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector:     &metav1.LabelSelector{MatchLabels: selector}}
}

// container has no CPU limit: taking access back may not be throttled.
func container(f Footprint) corev1.Container {
	no, yes := false, true
	env := []corev1.EnvVar{
		// below the limit, so that the collector works harder before the kernel kills
		{Name: "GOMEMLIMIT", Value: "460MiB"},
	}
	if f.GitHubAPI != "" {
		env = append(env, corev1.EnvVar{Name: "GITHUB_API_URL", Value: f.GitHubAPI})
	}
	return corev1.Container{
		Name:  "agent",
		Image: f.Image,
		Args: slices.Concat([]string{"sync"}, f.Args, []string{"--signing-key-file=" +
			SigningKeyFile, "--listen=:8080"}),
		Env: env,
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port,
			Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"),
				corev1.ResourceMemory: resource.MustParse("128Mi")},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
		},
		LivenessProbe:  probe("/healthz"),
		ReadinessProbe: probe("/readyz"),
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no,
			ReadOnlyRootFilesystem: &yes,
			Capabilities:           &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "secrets", MountPath: "/secrets", ReadOnly: true},
			{Name: "token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
				ReadOnly: true},
		},
	}
}

func probe(path string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path,
		Port: intstr.FromString("http")}}}
}

func volumes() []corev1.Volume {
	mode, hour := int32(0o440), int64(3600)
	return []corev1.Volume{
		{Name: "secrets", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
			SecretName: Agent, DefaultMode: &mode}}},
		{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: &mode, Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token",
					ExpirationSeconds: &hour}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{
					Name: "kube-root-ca.crt"},
					Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
				{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
					{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{
						FieldPath: "metadata.namespace"}}}}},
			}}}},
	}
}

// network lets the agent speak to name servers, the API server and GitHub. A NetworkPolicy knows no
// host names, so 443 is open to all but the addresses where clouds give out the credentials of the
// node.
func network(selector map[string]string) networkingv1.NetworkPolicySpec {
	tcp, udp := corev1.ProtocolTCP, corev1.ProtocolUDP
	at := func(protocol *corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
		port := intstr.FromInt32(number)
		return networkingv1.NetworkPolicyPort{Protocol: protocol, Port: &port}
	}
	within := func(label, value string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{label: value}}}
	}
	block := func(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr,
			Except: except}}
	}
	return networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: selector},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress,
			networkingv1.PolicyTypeEgress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
			within(LabelReachesAgent, "true")},
			Ports: []networkingv1.NetworkPolicyPort{at(&tcp, port)}}},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			// also NodeLocal DNSCache
			{To: []networkingv1.NetworkPolicyPeer{within("kubernetes.io/metadata.name",
				"kube-system"), block("169.254.20.10/32")},
				Ports: []networkingv1.NetworkPolicyPort{at(&udp, 53), at(&tcp, 53)}},
			{To: []networkingv1.NetworkPolicyPeer{block("0.0.0.0/0", "169.254.169.254/32"),
				block("::/0", "fd00:ec2::254/128")},
				Ports: []networkingv1.NetworkPolicyPort{at(&tcp, 443), at(&tcp, 6443)}},
		},
	}
}
