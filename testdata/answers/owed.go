package answers

import (
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// owedFiles are the files of the ledgers that say what a scenario tells is owed, by their paths.
func owedFiles(owed *policies.Owed) map[string]string {
	files := map[string]string{}
	if owed == nil {
		return files
	}
	for _, o := range owed.Debts {
		content := "unreadable: "
		if !o.Unreadable {
			content = fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: BreakGlassDebt
metadata: {name: %s}
spec:
  cluster: %s
  policy: %s
  requester: %s
  subject: {kind: User, name: %s}
  pullRequest: 1
  owners: [bob]
  dueAt: 2026-11-21T10:00:00Z
`, o.Name, o.Cluster, o.Policy, o.Requester, o.Subject)
		}
		files[requests.DebtPath(o.Cluster, o.Name)] = content
	}
	return files
}
