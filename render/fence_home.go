package render

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// notMasters leaves out system:masters, whom nothing stops from removing the fence.
var notMasters = admissionv1.MatchCondition{Name: "not-masters",
	Expression: "!('system:masters' in request.userInfo.?groups.orValue([]))"}

var inHome = []admissionv1.MatchCondition{
	{Name: "home", Expression: "request.namespace == 'pullgrant-grants'"}, notMasters,
}

// homeResources are all by which something could run in pullgrant-grants, or sign in from there.
var homeResources = []admissionv1.NamedRuleWithOperations{
	making("", "pods", "pods/ephemeralcontainers", "serviceaccounts", "serviceaccounts/token",
		"secrets", "replicationcontrollers"),
	making("apps", "*"),
}

// homeRules keep identities of grants from becoming more than names: whoever could make a
// ServiceAccount of such a name, or a token for it, would have what the grant gives. Kubernetes
// itself makes the ServiceAccount default, which no grant is named.
var homeRules = []rule{{
	must: all("request.resource.resource == 'serviceaccounts'",
		"request.?subResource.orValue('') == ''", "request.name == 'default'",
		"request.userInfo.username in ['system:serviceaccount:kube-system:service-account-controller', "+
			"'system:kube-controller-manager']"),
	message: "nothing runs in pullgrant-grants, and no ServiceAccount or token exists there",
}}
