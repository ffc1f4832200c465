package roles

import "fmt"

// Debug are the files of an access repository without a catalogue: alice may ask for the role
// payments-debug in a namespace of a cluster, under the policy of that name, and bob approves.
func Debug(cluster, namespace string) map[string]string {
	return map[string]string{
		".github/CODEOWNERS": "* @root\n/requests/ @bob\n",
		"policies/identities.yaml": `apiVersion: pullgrant.dev/v1alpha1
kind: IdentityMap
metadata: {name: identities}
spec:
  users:
    - {github: alice, githubID: 101, kubernetes: {username: alice@example.com}}
    - {github: bob, githubID: 102, kubernetes: {username: bob@example.com}}
`,
		"policies/payments-debug.yaml": fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: payments-debug}
spec:
  description: Debug the payments service
  clusters: [%s]
  subjects: [{kind: User, name: alice}]
  challenges: [{kind: CodeOwnerReview, count: 1}]
  target:
    defaultDuration: 1h
    maxDuration: 2h
    grants:
      - kind: KubernetesRoleBinding
        defaultNamespace: %s
        allowedNamespaces: [%[2]s]
        roleRef: {kind: ClusterRole, name: payments-debug}
`, cluster, namespace)}
}
