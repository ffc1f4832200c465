package render

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/pullgrant/pullgrant/requests"
)

// ExecAudit is the Service by which the API server's audit webhook reaches the agents, and the Secret
// with the keys tls.crt and tls.key, of that Service's name, and ca.crt, by which callers are known.
const ExecAudit = "pullgrant-exec-audit"

const (
	auditPort   = 8443
	auditFolder = "/exec-audit"
)

// auditArgs have the agent take what the audit webhook tells.
var auditArgs = []string{"--audit-listen=:8443", "--audit-cert-file=" + auditFolder + "/tls.crt",
	"--audit-key-file=" + auditFolder + "/tls.key",
	"--audit-client-ca-file=" + auditFolder + "/ca.crt"}

// auditContainer gives the agent's container the port and the Secret.
func auditContainer(c *corev1.Container) {
	c.Ports = append(c.Ports, corev1.ContainerPort{Name: "exec-audit", ContainerPort: auditPort,
		Protocol: corev1.ProtocolTCP})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "exec-audit",
		MountPath: auditFolder, ReadOnly: true})
}

func auditVolume(mode *int32) corev1.Volume {
	return corev1.Volume{Name: "exec-audit", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: ExecAudit, DefaultMode: mode}}}
}

// auditIngress lets the API servers of these addresses in: they are no pods of a namespace.
func auditIngress(from []string) networkingv1.NetworkPolicyIngressRule {
	tcp, port := corev1.ProtocolTCP, intstr.FromInt32(auditPort)
	rule := networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{
		Protocol: &tcp, Port: &port}}}
	for _, cidr := range from {
		rule.From = append(rule.From, networkingv1.NetworkPolicyPeer{
			IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
	}
	return rule
}

func auditService(selector map[string]string) *corev1.Service {
	return &corev1.Service{TypeMeta: typeMeta(corev1.SchemeGroupVersion, "Service"),
		ObjectMeta: objectMeta(requests.AgentNamespace, ExecAudit),
		Spec: corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Name: "https",
			Protocol: corev1.ProtocolTCP, Port: auditPort,
			TargetPort: intstr.FromString("exec-audit")}}}}
}
