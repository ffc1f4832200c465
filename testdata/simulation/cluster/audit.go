package cluster

import (
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Command is a call to run something in a container that the policies were asked about, as the API
// server's audit log has it.
type Command struct {
	At             time.Time // when the API server got it, by its clock
	User           string
	As             string // whom User acts as; empty: nobody
	Namespace, Pod string
	Sub            string            // subresource: exec or attach
	Annotations    map[string]string // that policies made
	Code           int               // of the answer
}

// Audit has an observer told of every command, once it is known what becomes of it. It is called while
// nothing else can happen, so it must not call the cluster.
func (c *Cluster) Audit(observer func(Command)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.auditors = append(c.auditors, observer)
}

// audit tells of a command and of what was answered.
func (c *Cluster) audit(a admission, code int, err error) {
	if err != nil {
		code = http.StatusInternalServerError
		if status, is := err.(apierrors.APIStatus); is {
			code = int(status.Status().Code)
		}
	}
	one := Command{At: c.now(), User: a.q.user.name, Namespace: a.q.namespace, Pod: a.q.name, Sub: a.q.sub,
		Annotations: c.annotations(a), Code: code}
	if a.q.caller != one.User {
		one.User, one.As = a.q.caller, one.User
	}
	for _, tell := range c.auditors {
		tell(one)
	}
}

// annotations are what the policies in force say of a write, whether it is refused or not.
func (c *Cluster) annotations(a admission) map[string]string {
	all := map[string]string{}
	for _, p := range c.inForce(a) {
		scope := newScope(c, a, p.Variables)
		if about, err := p.about(scope); !about || err != nil {
			continue
		}
		for _, annotation := range p.AuditAnnotations {
			if text, err := scope.text(annotation.ValueExpression); err == nil {
				all[p.name+"/"+annotation.Key] = text
			}
		}
	}
	return all
}
