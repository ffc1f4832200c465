// Package cluster is a small Kubernetes in memory, for a simulation in virtual time: an API server,
// the controllers that grants depend on, and the faults of both. It is a handler that is called in
// the process: it opens no socket, starts nothing that outlives a call but timers, and every choice
// it makes follows from the calls it had. The conformance test holds it to a real control plane.
package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// UserHeader names who calls. ServiceAccounts and Admin are in the groups that Kubernetes puts them
// in, everybody is authenticated, and GroupHeader names more groups.
const (
	UserHeader  = "X-Sim-User"
	GroupHeader = "X-Sim-Group"
)

// Admin may do everything.
const Admin = "system:admin"

// Event is one version of one object that was committed.
type Event struct {
	Version  uint64
	At       time.Time // by the API server's clock
	Verb     string    // create, update, patch, delete, or restore where etcd was set back
	User     string
	Resource string // plural, lower case
	Old, New Object // nil before it was created, and once it is deleted
}

// Cluster is an http.Handler.
type Cluster struct {
	now func() time.Time

	mu sync.Mutex
	store
	faults    Faults
	observers []func(Event)
	auditors  []func(Command)
	closed    bool
	cuts      chan struct{} // closed to end all watches
	generated uint64        // names
	due       time.Duration // grows by one with each call that is to come
	sweeping  bool          // a sweep of the garbage collector is to come
	refused   map[string]int
	rules     map[string][]rbacv1.PolicyRule // of roles, by UID and version
	held      map[string][]rbacv1.PolicyRule // of users, until RBAC changes
	judges    map[string]*policy             // of admission, by the same
}

// New is a cluster with its first namespaces and roles. now is the clock of the API server and the
// controllers; that they wait, they do by timers.
func New(now func() time.Time) *Cluster {
	c := &Cluster{now: now, store: newStore(), cuts: make(chan struct{}), refused: map[string]int{},
		rules: map[string][]rbacv1.PolicyRule{}, held: map[string][]rbacv1.PolicyRule{},
		judges: map[string]*policy{}}
	if err := c.Apply([]byte(first)); err != nil {
		panic(err) // it is a constant
	}
	return c
}

// Number is this cluster's among several: from now on its UIDs are none of theirs.
func (c *Cluster) Number(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number = n
}

// Close ends all watches, and the controllers.
func (c *Cluster) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.cut()
}

// Watch has an observer told of every version of every object, in order. It is called while nothing
// else can happen, so it must not call the cluster.
func (c *Cluster) Watch(observer func(Event)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observers = append(c.observers, observer)
}

// Apply creates or replaces, as Admin, the objects of a YAML stream in their order. One without a
// namespace goes to default.
func (c *Cluster) Apply(manifests []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(manifests))
	for {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading manifests: %w", err)
		}
		if document == nil {
			continue // nothing but a comment
		}
		if err := c.apply(document); err != nil {
			return err
		}
	}
}

func (c *Cluster) apply(document map[string]any) error {
	text, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(text); err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	r := byKind(o.GetAPIVersion(), o.GetKind())
	if r == nil {
		return fmt.Errorf("applying %s %s: no such kind is served", o.GetKind(), o.GetName())
	}
	q := &request{user: userOf(Admin), verb: "create", res: r, name: o.GetName(), body: text}
	if !r.global {
		if q.namespace = o.GetNamespace(); q.namespace == "" {
			q.namespace = metav1.NamespaceDefault
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.get(q.place()) != nil {
		q.verb = "update"
	}
	if _, _, err := c.serve(q); err != nil {
		return fmt.Errorf("applying %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return nil
}

// request is one call, taken apart.
type request struct {
	user            user
	caller          string // whose credentials it has, user or who acts as user
	verb            string
	res             *resource
	sub             string
	namespace, name string
	query           map[string][]string
	body            []byte
}

func (q *request) place() place { return place{q.res, q.namespace, q.name} }

func (q *request) option(name string) string {
	if all := q.query[name]; len(all) > 0 {
		return all[0]
	}
	return ""
}

func (q *request) dryRun() bool { return q.option("dryRun") == metav1.DryRunAll }

// groupResource is as errors name it.
func (q *request) groupResource() schema.GroupResource { return q.res.GroupResource() }

// ServeHTTP answers one call as the API server does. A watch lasts until the call is cancelled, its
// time is over, or the cluster cuts or closes it.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	w.Header().Set("Date", c.now().UTC().Format(http.TimeFormat))
	if accept := r.Header.Get("Accept"); accept != "" && !strings.Contains(accept, "json") &&
		!strings.Contains(accept, "*/*") {
		fail(w, generic(http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable,
			"only application/json is served"))
		return
	}
	c.mu.Lock()
	q, code, answer, err := c.open(r, body)
	if err == nil && answer == nil {
		if q.verb == "watch" {
			c.mu.Unlock()
			c.watch(w, r, q)
			return
		}
		code, answer, err = c.serve(q)
	}
	c.mu.Unlock()
	if err == nil {
		answer, err = only(r, answer)
	}
	if err != nil {
		fail(w, err)
		return
	}
	write(w, code, answer)
}

// open finds out who calls for what, and whether they may. What is about no object is answered.
func (c *Cluster) open(r *http.Request, body []byte) (*request, int, any, error) {
	if c.closed {
		return nil, 0, nil, apierrors.NewServiceUnavailable("the cluster is closed")
	}
	q := &request{user: userOf(r.Header.Get(UserHeader), r.Header.Values(GroupHeader)...),
		query: r.URL.Query(), body: body}
	if q.user.name == "" {
		return nil, 0, nil, apierrors.NewUnauthorized("Unauthorized")
	}
	q.caller = q.user.name
	if err := c.impersonate(q, r.Header); err != nil {
		return nil, 0, nil, err
	}
	t, ok := parse(r.URL.Path)
	if !ok {
		answer, err := discover(r.URL.Path)
		return nil, http.StatusOK, answer, err
	}
	q.verb, q.namespace, q.name, q.sub = verbOf(r, t), t.namespace, t.name, t.sub
	asked := attributes{verb: q.verb, group: t.group, resource: t.resource, sub: t.sub,
		namespace: t.namespace, name: t.name}
	// a list of one by its name is authorized as that one
	if byField, err := fields.ParseSelector(q.option("fieldSelector")); err == nil && t.name == "" {
		asked.name, _ = byField.RequiresExactMatch(metav1.ObjectNameField)
	}
	if !c.may(q.user, asked) {
		return nil, 0, nil, apierrors.NewForbidden(schema.GroupResource{Group: t.group,
			Resource: t.resource}, t.name, q.user.cannot(asked))
	}
	content, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	format := "application/json"
	if q.verb == "patch" {
		format = "application/merge-patch+json"
	}
	if len(body) > 0 && content != "" && content != format {
		return nil, 0, nil, generic(http.StatusUnsupportedMediaType,
			metav1.StatusReasonUnsupportedMediaType, "the body of the request was in an unknown "+
				"format - accepted media types include: "+format)
	}
	if t.group == "authorization.k8s.io" && t.version == "v1" && r.Method == http.MethodPost {
		answer, err := c.review(q, t.resource)
		return nil, http.StatusCreated, answer, err
	}
	if q.res = byName(t.group, t.resource); q.res == nil || t.version != q.res.Version {
		return nil, 0, nil, generic(http.StatusNotFound, metav1.StatusReasonNotFound,
			"the server could not find the requested resource")
	}
	if q.res.global {
		q.namespace = ""
	}
	return q, 0, nil, nil
}

func verbOf(r *http.Request, t target) string {
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		if t.name == "" {
			return "deletecollection"
		}
		return "delete"
	}
	switch {
	case t.name != "":
		return "get"
	case r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1":
		return "watch"
	}
	return "list"
}

// serve answers a call that is no watch, with mu held.
func (c *Cluster) serve(q *request) (int, any, error) {
	if q.sub != "" && !(q.sub == "status" && q.res.status) {
		return c.serveSub(q)
	}
	switch q.verb {
	case "get":
		if o := c.get(q.place()); o != nil {
			return http.StatusOK, o, nil
		}
		return 0, nil, apierrors.NewNotFound(q.groupResource(), q.name)
	case "list":
		return c.listed(q)
	case "create":
		return c.create(q)
	case "update", "patch":
		return c.update(q)
	case "delete":
		return c.delete(q)
	case "deletecollection":
		return c.deleteAll(q)
	}
	return 0, nil, apierrors.NewMethodNotSupported(q.groupResource(), q.verb)
}

// commit stores a version, and tells those who are to know.
func (c *Cluster) commit(q *request, next Object) Object {
	at := q.place()
	ch := c.put(at, next)
	if at.res.Group == rbacv1.GroupName {
		clear(c.held)
	}
	verb := q.verb
	if next == nil {
		verb = "delete"
	}
	c.observe(verb, q.user.name, ch)
	c.control(ch)
	return ch.new
}

func (c *Cluster) observe(verb, user string, ch change) {
	for _, tell := range c.observers {
		tell(Event{Version: ch.version, At: c.now(), Verb: verb, User: user,
			Resource: ch.at.res.Resource, Old: ch.old, New: ch.new})
	}
}
