package simulation

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// site is a cluster that requests name, with all that is called there.
type site struct {
	*cluster.Cluster
	w    *world
	name string

	aws      bool // it is on EKS
	replicas []*replica
	slept    int  // how often all of a program did
	edits    int  // of aws-auth, by hand
	audited  bool // its API server tells the agents of commands
	commands int  // how many it had

	set  *metav1.OwnerReference // the ReplicaSet of what runs there
	pods int                    // how many it ever had

	calling sync.Mutex // held while it serves a call that is no watch
	caller  *wire      // whose call that is
	made    time.Time  // when the caller made it

	clock   clock             // of the API server and of Kubernetes' controllers
	backups []*cluster.Backup // the last ones
	hooks   hooks             // of admission
	freed   []string          // what a finalizer kept, and keeps no more

	installed []byte // manifests of the agent
}

// of names a system of a cluster, as kubernetes of it: each may be down by itself.
func of(system, cluster string) string { return system + " of " + cluster }

// host is the API server, as far as addresses go.
func (s *site) host() string { return s.name + ".invalid" }

// newSite is a cluster as it stands before the agent is installed.
func (w *world) newSite(name string) (*site, error) {
	s := &site{w: w, name: name}
	s.Cluster = cluster.New(s.clock.now)
	s.Number(len(w.sites))
	s.Watch(s.committed)
	if err := s.Apply(stands); err != nil {
		return nil, err
	}
	if s.aws = w.shape(hasAWS, name); s.aws {
		if err := s.Apply([]byte(listed)); err != nil {
			return nil, err
		}
	}
	s.audited = w.shape(hasAudit, name)
	s.Audit(s.commanded)
	return s, s.work()
}

// committed enters a version of an object into the history.
func (s *site) committed(e cluster.Event) {
	if e.Old != nil && e.New != nil && e.Old.GetUID() != e.New.GetUID() { // where etcd was set back
		gone, back := e, e
		gone.New, back.Old = nil, nil
		s.committed(gone)
		s.committed(back)
		return
	}
	v := &version{Event: e, cluster: s.name}
	if s.caller != nil && e.User == s.caller.user() {
		v.process, v.made = s.caller.process, s.made
	}
	o := v.object()
	s.w.note("%s: %s %s %s/%s %d by %s %s", s.name, e.Verb, e.Resource, o.GetNamespace(), o.GetName(),
		e.Version, e.User, v.process)
	s.w.add(event{version: v})
}

// serve answers a call of a process that is no watch.
func (s *site) serve(n *wire, r *http.Request, body []byte, made time.Time) *http.Response {
	s.calling.Lock()
	defer s.calling.Unlock()
	s.caller, s.made = n, made
	defer func() { s.caller = nil }()
	if r.Method != http.MethodGet {
		s.w.add(event{call: &call{cluster: s.name, process: n.process, method: r.Method, path: r.URL.Path,
			body: body, made: made}})
	}
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	return answer.Result()
}

// byHand is a call of an administrator's. What is refused is an error.
func (s *site) byHand(method, path string, body []byte) error {
	_, err := s.asked(method, path, body)
	return err
}

// asked is the same, and what is answered.
func (s *site) asked(method, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequest(method, "http://"+s.host()+path, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set(cluster.UserHeader, cluster.Admin)
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	answer := s.answers(r)
	if answer.Code >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: %s", method, path, answer.Body)
	}
	return answer.Body.Bytes(), nil
}

// answers is a call of a person's.
func (s *site) answers(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	s.calling.Lock()
	defer s.calling.Unlock()
	s.ServeHTTP(answer, r)
	return answer
}
