package render_test

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/pullgrant/pullgrant/render"
)

// TestOutside: the agent, and nobody else, is let out to what is listed and has its secrets; 443 is open
// already.
func TestOutside(t *testing.T) {
	f := footprint
	f.Outside = []render.Outside{
		{Port: 443, Variables: []string{"PULLGRANT_CHECK_SECRET", "PULLGRANT_CHECK_TOKEN_A"}},
		{Port: 8443, Networks: []string{"10.0.0.0/8", "fd00::/8"}, Variables: []string{
			"PULLGRANT_CHECK_SECRET"}},
		{Port: 9443},
	}
	for _, object := range render.Install(f) {
		switch o := object.(type) {
		case *networkingv1.NetworkPolicy:
			var opened []string
			for _, rule := range o.Spec.Egress[2:] {
				for _, to := range rule.To {
					opened = append(opened, fmt.Sprintf("%s %d of %d", to.IPBlock.CIDR,
						rule.Ports[0].Port.IntValue(), len(rule.Ports)))
				}
			}
			want := ""
			if o.Name == render.Agent {
				want = "10.0.0.0/8 8443 of 1, fd00::/8 8443 of 1, 0.0.0.0/0 9443 of 1, ::/0 9443 of 1"
			}
			if got := strings.Join(opened, ", "); got != want {
				t.Errorf("%s is let out to %q", o.Name, got)
			}
		case *appsv1.Deployment:
			var secrets []string
			for _, v := range o.Spec.Template.Spec.Containers[0].Env {
				if v.ValueFrom != nil {
					from := v.ValueFrom.SecretKeyRef
					secrets = append(secrets, fmt.Sprintf("%s from %s of %s, %t", v.Name, from.Key,
						from.Name, *from.Optional))
				}
			}
			want := ""
			if o.Name == render.Agent {
				want = "PULLGRANT_CHECK_SECRET from PULLGRANT_CHECK_SECRET of pullgrant-checks, true; " +
					"PULLGRANT_CHECK_TOKEN_A from PULLGRANT_CHECK_TOKEN_A of pullgrant-checks, true"
			}
			if got := strings.Join(secrets, "; "); got != want {
				t.Errorf("%s has %q", o.Name, got)
			}
		}
	}
}
