package render

import (
	"slices"
	"strings"

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

// process is the program in one of its roles. Each has two replicas, so that a node that goes takes
// none away.
type process struct {
	name    string // of the Deployment, the ServiceAccount and what else is there for the pods
	args    []string
	env     []corev1.EnvVar
	request string // of memory
	limit   string
	secrets bool     // the Secret pullgrant-agent is in its files
	audit   []string // from where API servers tell of commands; none: they do not
	outside []Outside

	channels bool // the Secret ChannelsSecret is in its files
}

// processes are what runs, in the order in which it is created: what takes access back before what
// gives it. The expirer shares nothing with the agent, so that whatever the agent fetches, parses
// or waits for has no part in when access ends. GOMEMLIMIT is below the limit, so that the
// collector works harder before the kernel kills.
func processes(f Footprint) []process {
	const listen = "--listen=:8080"
	agent := process{name: Agent, request: "128Mi", limit: "512Mi", secrets: true,
		args: slices.Concat([]string{"sync"}, f.Args,
			[]string{"--signing-key-file=" + SigningKeyFile, listen}),
		env: []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "460MiB"}}}
	if agent.audit = f.ExecAudit; len(agent.audit) > 0 {
		agent.args = append(agent.args, auditArgs...)
	}
	if agent.channels = f.Channels; f.Channels {
		agent.args = append(agent.args, "--channels-dir="+ChannelsFolder)
	}
	agent.outside = f.Outside
	agent.env = append(agent.env, outsideEnv(f.Outside)...)
	if f.GitHubAPI != "" {
		agent.env = append(agent.env, corev1.EnvVar{Name: "GITHUB_API_URL", Value: f.GitHubAPI})
	}
	small := func(name, command string) process {
		return process{name: name, request: "64Mi", limit: "256Mi",
			args: []string{command, "--cluster=" + f.Cluster, listen},
			env:  []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "230MiB"}}}
	}
	all := []process{small(Expirer, "expire")}
	if f.AWSAuth {
		all = append(all, small(AWS, "aws-auth"))
	}
	return append(all, agent)
}

func (p process) selector() map[string]string {
	return map[string]string{"app.kubernetes.io/name": p.name}
}

// workload is what runs. Agent and expirer hold the power over access, so their pods can do nothing
// else.
func workload(f Footprint) []Object {
	objects := []Object{&schedulingv1.PriorityClass{
		TypeMeta:   typeMeta(schedulingv1.SchemeGroupVersion, "PriorityClass"),
		ObjectMeta: objectMeta("", Agent), Value: 1_000_000_000,
		Description: "Takes access back on time, so it goes before what users run."}}
	for _, p := range processes(f) {
		objects = append(objects, p.objects(f.Image)...)
	}
	return objects
}

func (p process) objects(image string) []Object {
	two, one := int32(2), intstr.FromInt32(1)
	none := intstr.FromInt32(0)
	labels := map[string]string{"app.kubernetes.io/name": p.name, LabelPartOf: ManagedBy}
	reached := network(p.selector())
	reached.Egress = append(reached.Egress, outsideEgress(p.outside)...)
	var service []Object
	if len(p.audit) > 0 {
		reached.Ingress = append(reached.Ingress, auditIngress(p.audit))
		service = []Object{auditService(p.selector())}
	}
	return append(service,
		&networkingv1.NetworkPolicy{TypeMeta: typeMeta(networkingv1.SchemeGroupVersion,
			"NetworkPolicy"),
			ObjectMeta: objectMeta(requests.AgentNamespace, p.name), Spec: reached},
		&policyv1.PodDisruptionBudget{TypeMeta: typeMeta(policyv1.SchemeGroupVersion,
			"PodDisruptionBudget"),
			ObjectMeta: objectMeta(requests.AgentNamespace, p.name),
			Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &one,
				Selector: &metav1.LabelSelector{MatchLabels: p.selector()}}},
		&appsv1.Deployment{TypeMeta: typeMeta(appsv1.SchemeGroupVersion, "Deployment"),
			ObjectMeta: objectMeta(requests.AgentNamespace, p.name),
			Spec: appsv1.DeploymentSpec{
				Replicas: &two, // one agent of them writes; all take access back
				Selector: &metav1.LabelSelector{MatchLabels: p.selector()},
				Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
					RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one,
						MaxUnavailable: &none}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec: p.pod(image)},
			}})
}

func (p process) pod(image string) corev1.PodSpec {
	no, yes, id := false, true, int64(nobody)
	return corev1.PodSpec{
		ServiceAccountName:           p.name,
		AutomountServiceAccountToken: &no, // the one below ends after an hour
		EnableServiceLinks:           &no,
		PriorityClassName:            Agent,
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &id,
			RunAsGroup: &id, FSGroup: &id,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
			spread("kubernetes.io/hostname", p.selector()),
			spread("topology.kubernetes.io/zone", p.selector())},
		Containers: []corev1.Container{p.container(image)},
		Volumes:    p.volumes(),
	}
}

func spread(over string, selector map[string]string) corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{TopologyKey: over, MaxSkew: 1,
		WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector:     &metav1.LabelSelector{MatchLabels: selector}}
}

// container has no CPU limit: taking access back may not be throttled.
func (p process) container(image string) corev1.Container {
	no, yes := false, true
	mounts := []corev1.VolumeMount{{Name: "token", ReadOnly: true,
		MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}}
	if p.secrets {
		mounts = append([]corev1.VolumeMount{{Name: "secrets", MountPath: "/secrets",
			ReadOnly: true}}, mounts...)
	}
	c := corev1.Container{
		Name:  strings.TrimPrefix(p.name, "pullgrant-"),
		Image: image,
		Args:  p.args,
		Env:   p.env,
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port,
			Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"),
				corev1.ResourceMemory: resource.MustParse(p.request)},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(p.limit)},
		},
		LivenessProbe:  probe("/healthz"),
		ReadinessProbe: probe("/readyz"),
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no,
			ReadOnlyRootFilesystem: &yes,
			Capabilities:           &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		VolumeMounts: mounts,
	}
	if len(p.audit) > 0 {
		auditContainer(&c)
	}
	if p.channels {
		c.VolumeMounts = append(c.VolumeMounts, channelsMount())
	}
	return c
}

func probe(path string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path,
		Port: intstr.FromString("http")}}}
}

func (p process) volumes() []corev1.Volume {
	mode, hour := int32(0o440), int64(3600)
	token := corev1.Volume{Name: "token", VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: &mode, Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token",
					ExpirationSeconds: &hour}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{
					Name: "kube-root-ca.crt"},
					Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
				{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
					{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{
						FieldPath: "metadata.namespace"}}}}},
			}}}}
	if !p.secrets {
		return []corev1.Volume{token}
	}
	all := []corev1.Volume{{Name: "secrets", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: Agent, DefaultMode: &mode}}}, token}
	if len(p.audit) > 0 {
		all = append(all, auditVolume(&mode))
	}
	if p.channels {
		all = append(all, channelsVolume(&mode))
	}
	return all
}

// network lets pods speak to name servers, the API server and GitHub. A NetworkPolicy knows no
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
			{To: anywhere(), Ports: []networkingv1.NetworkPolicyPort{at(&tcp, https), at(&tcp, 6443)}},
		},
	}
}

// https is the port of what is on the Internet.
const https = 443

func block(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
}

// anywhere is everywhere but where clouds give out the credentials of the node.
func anywhere() []networkingv1.NetworkPolicyPeer {
	return []networkingv1.NetworkPolicyPeer{block("0.0.0.0/0", "169.254.169.254/32"),
		block("::/0", "fd00:ec2::254/128")}
}
