// Package grants makes the grants that tests plan for. A short name x stands for the request
// 20261122-alice-x under the policy payments-debug.
package grants

import (
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Cluster is the one they are in.
const Cluster = "prod-eu"

// Name is the request's whole name.
func Name(short string) string { return "20261122-alice-" + short }

// Path is where the request's file stands.
func Path(short string) string { return requests.Path(Cluster, "payments-debug", Name(short)) }

// Of is a grant of hours from 10:00 with n bindings in the namespace payments.
func Of(short string, n, hours int) requests.Grant {
	g := requests.Grant{Name: Name(short), Path: Path(short), Cluster: Cluster,
		Policy: "payments-debug", Requester: "alice",
		Subject: requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
		Window: requests.NewWindow(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
			requests.Duration(time.Duration(hours)*time.Hour)),
		Evidence: requests.Evidence{Source: requests.EvidenceGitHub, Blob: "b1",
			MergeCommit: strings.Repeat("a", 40)}}
	for i := range n {
		g.Items = append(g.Items,
			requests.Item{Kind: requests.KubernetesRoleBinding, Name: requests.ObjectName(g.Name,
				i),
				Namespace: "payments",
				Role:      requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}})
	}
	return g
}
