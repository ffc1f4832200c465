package render

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Outside is a host beside GitHub that the agent asks.
type Outside struct {
	Port     int32
	Networks []string // CIDRs of its addresses; none: a public one
	// Variables are those of the environment that hold secrets for it: keys of the Secret ChecksSecret.
	Variables []string
}

// ChecksSecret is the Secret with what the agent needs to ask others: each key is a variable of its
// environment. A key that is not there is a variable that is not set.
const ChecksSecret = "pullgrant-checks"

// outsideEnv are the variables with secrets for the hosts, each once.
func outsideEnv(hosts []Outside) (all []corev1.EnvVar) {
	yes := true
	for _, h := range hosts {
		for _, name := range h.Variables {
			if slices.ContainsFunc(all, func(v corev1.EnvVar) bool { return v.Name == name }) {
				continue
			}
			all = append(all, corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
				SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{
					Name: ChecksSecret}, Key: name, Optional: &yes}}})
		}
	}
	return all
}

// outsideEgress opens the way to the hosts where it is not open already: 443 is, to every address.
func outsideEgress(hosts []Outside) (all []networkingv1.NetworkPolicyEgressRule) {
	for _, h := range hosts {
		if h.Port == https {
			continue
		}
		to := anywhere()
		if len(h.Networks) > 0 {
			to = nil
			for _, n := range h.Networks {
				to = append(to, block(n))
			}
		}
		port, tcp := intstr.FromInt32(h.Port), corev1.ProtocolTCP
		all = append(all, networkingv1.NetworkPolicyEgressRule{To: to,
			Ports: []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &port}}})
	}
	return all
}
