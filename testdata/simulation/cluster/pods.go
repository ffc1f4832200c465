package cluster

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// serveSub answers calls of subresources other than status. A command in a pod is judged by all who
// judge it, and then found to run nowhere, as there are no nodes.
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
	if err := c.policies(admission{q: q, operation: "CONNECT", object: object,
		options: map[string]any{}}); err != nil {
		return 0, nil, err
	}
	if c.get(q.place()) == nil {
		return 0, nil, apierrors.NewNotFound(q.groupResource(), q.name)
	}
	return 0, nil, apierrors.NewBadRequest("pod " + q.name + " does not have a host assigned")
}
