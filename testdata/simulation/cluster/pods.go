package cluster

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// serveSub answers calls of subresources other than status. A command in a pod is judged by all who
// judge it, and comes to run where the pod has a node, which is none of the cluster's: there are none.
func (c *Cluster) serveSub(q *request) (int, any, error) {
	if q.res.Resource != "pods" || q.sub != "exec" && q.sub != "attach" {
		return 0, nil, generic(http.StatusNotFound, metav1.StatusReasonNotFound,
			"the server could not find the requested resource")
	}
	object := map[string]any{"kind": "PodExecOptions", "apiVersion": "v1"}
	for _, flag := range []string{"stdin", "stdout", "stderr", "tty"} {
		if q.option(flag) == "true" || q.option(flag) == "1" {
			object[flag] = true
		}
	}
	if name := q.option("container"); name != "" {
		object["container"] = name
	}
	var command []any
	for _, word := range q.query["command"] {
		command = append(command, word)
	}
	if command != nil {
		object["command"] = command
	}
	a := admission{q: q, operation: "CONNECT", object: object, options: map[string]any{}}
	err := c.policies(a)
	if err == nil {
		err = c.connect(q)
	}
	c.audit(a, http.StatusSwitchingProtocols, err)
	return http.StatusSwitchingProtocols, nil, err
}

// connect tells why nothing runs in a pod.
func (c *Cluster) connect(q *request) error {
	pod := c.get(q.place())
	if pod == nil {
		return apierrors.NewNotFound(q.groupResource(), q.name)
	}
	if node, _, _ := unstructured.NestedString(pod.Object, "spec", "nodeName"); node == "" {
		return apierrors.NewBadRequest("pod " + q.name + " does not have a host assigned")
	}
	return nil
}
