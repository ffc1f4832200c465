package main

import (
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// managed selects the RoleBindings of all grants.
const managed = "rolebinding -A -l " + render.LabelManagedBy + "=" + render.ManagedBy

// sayByHand says how access ends at once without GitHub and the agent.
func sayByHand(w world, name string) {
	w.say("note: if %s must end now, have somebody who may list and delete RoleBindings on its "+
		"cluster run: kubectl delete %s,%s=%s", name, managed, render.LabelRequest,
		requests.LabelValue(name))
}

// sayWithoutGitHub is sayByHand for all that is meant, of which GitHub does not tell the names.
func (o revokeOptions) sayWithoutGitHub(w world) {
	if o.dryRun {
		return
	}
	for _, name := range o.names {
		if t, ok := parseTarget(name); ok && t.number == 0 {
			sayByHand(w, t.name)
		}
	}
	if len(o.names) == 0 {
		w.say("note: if it must end now, whoever may list and delete RoleBindings on its cluster sees "+
			"whose there are with: kubectl get %s -L %s", managed, render.LabelRequest)
		w.say("note: they end that of one request with: kubectl delete %s,%s=NAME", managed,
			render.LabelRequest)
		w.say("note: they end everything with: kubectl delete %s", managed)
	}
}
