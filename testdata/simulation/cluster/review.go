package cluster

import (
	"encoding/json"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// review answers who may do what.
func (c *Cluster) review(q *request, resource string) (any, error) {
	version := authorizationv1.SchemeGroupVersion.String()
	read := func(into any) error {
		if err := json.Unmarshal(q.body, into); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
		return nil
	}
	switch resource {
	case "selfsubjectaccessreviews":
		var r authorizationv1.SelfSubjectAccessReview
		if err := read(&r); err != nil {
			return nil, err
		}
		r.TypeMeta = metav1.TypeMeta{Kind: "SelfSubjectAccessReview", APIVersion: version}
		r.Status = c.verdict(q.user, r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes)
		return r, nil
	case "subjectaccessreviews":
		var r authorizationv1.SubjectAccessReview
		if err := read(&r); err != nil {
			return nil, err
		}
		r.TypeMeta = metav1.TypeMeta{Kind: "SubjectAccessReview", APIVersion: version}
		r.Status = c.verdict(user{r.Spec.User, r.Spec.Groups}, r.Spec.ResourceAttributes,
			r.Spec.NonResourceAttributes)
		return r, nil
	case "selfsubjectrulesreviews":
		var r authorizationv1.SelfSubjectRulesReview
		if err := read(&r); err != nil {
			return nil, err
		}
		if r.Spec.Namespace == "" {
			return nil, apierrors.NewBadRequest("no namespace on request")
		}
		r.TypeMeta = metav1.TypeMeta{Kind: "SelfSubjectRulesReview", APIVersion: version}
		r.Status = c.allRules(q.user, r.Spec.Namespace)
		return r, nil
	}
	return nil, generic(http.StatusNotFound, metav1.StatusReasonNotFound,
		"the server could not find the requested resource")
}

func (c *Cluster) verdict(u user, of *authorizationv1.ResourceAttributes,
	url *authorizationv1.NonResourceAttributes) authorizationv1.SubjectAccessReviewStatus {
	var a attributes
	if of != nil {
		a = attributes{verb: of.Verb, group: of.Group, resource: of.Resource, sub: of.Subresource,
			namespace: of.Namespace, name: of.Name}
	} else if url != nil {
		a = attributes{verb: url.Verb, url: url.Path}
	}
	return authorizationv1.SubjectAccessReviewStatus{Allowed: c.may(u, a)}
}

// allRules are all that a user may do in a namespace, in the order of the bindings.
func (c *Cluster) allRules(u user, namespace string) authorizationv1.SubjectRulesReviewStatus {
	status := authorizationv1.SubjectRulesReviewStatus{
		ResourceRules:    []authorizationv1.ResourceRule{},
		NonResourceRules: []authorizationv1.NonResourceRule{}}
	for _, r := range c.rulesOf(u, namespace) {
		if len(r.Resources) > 0 {
			status.ResourceRules = append(status.ResourceRules, authorizationv1.ResourceRule{
				Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources,
				ResourceNames: r.ResourceNames})
		}
		if len(r.NonResourceURLs) > 0 {
			status.NonResourceRules = append(status.NonResourceRules,
				authorizationv1.NonResourceRule{Verbs: r.Verbs, NonResourceURLs: r.NonResourceURLs})
		}
	}
	return status
}
