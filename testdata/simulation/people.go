package simulation

import (
	"fmt"
	"sync"
	"time"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/roles"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// canary stands in every reason; it may reach nothing but files.
const canary = "CANARY"

// What people do.
const (
	asks       = "ask"      // open a pull request for a request
	approves   = "approve"  // it
	merges     = "merge"    // it, whether it is approved or not
	takesAway  = "take"     // the request's file from main, as an administrator
	givesBack  = "return"   // access, by a pull request of the requester's that removes the file
	deletes    = "delete"   // the binding, by hand
	deletesJob = "disarm"   // the backstop, by hand
	puts       = "put back" // a request's file on main that was removed from there
)

// request is one that somebody made. What is said of it is what people know.
type request struct {
	name, path, content string
	number              int // of its pull request
	length              time.Duration
}

// deed is one thing that people did, about a request.
type deed struct {
	what    string
	request *request
}

// does enters a deed into the history, before it has an effect.
func (w *world) does(what string, r *request) {
	w.note("people %s %s", what, r.name)
	w.add(event{did: &deed{what, r}})
}

// furnish makes what there is before anybody asks.
func (w *world) furnish() error {
	f := w.forge
	for i, login := range []string{"alice", "bob", "root"} {
		f.AddUser(login, int64(101+i), login+"@example.com")
		f.SetPermission(login, []string{"write", "write", "admin"}[i])
	}
	f.AddApp("pullgrant", 7001)
	f.AddApp("agent", 7002, "contents:write", "pull_requests:write", "members:read", "checks:read",
		"issues:write")
	rules := forge.DefaultRules()
	rules.Bypass = []string{"agent[bot]"}
	f.Protect(rules)
	files := roles.Catalogue(roles.Debug(clusterName, namespace),
		[]rbac.RoleRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}})
	if _, err := f.Seed(files, "Start", "root"); err != nil {
		return err
	}
	w.hub.moved("root")
	w.cluster = cluster.New(time.Now)
	if err := w.cluster.Apply(fmt.Appendf(nil, `
apiVersion: v1
kind: Namespace
metadata: {name: %s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %s}
rules:
- {apiGroups: [""], resources: [pods], verbs: [list]}
`, namespace, policy)); err != nil {
		return err
	}
	granted := requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: namespace,
		Role: requests.Role{Kind: requests.KindClusterRole, Name: policy}}
	if err := w.cluster.Apply(render.YAML(append(render.Fence(), render.Rights(render.Footprint{
		Grants: []requests.Item{granted}})...))); err != nil {
		return err
	}
	w.cluster.Watch(func(e cluster.Event) {
		v := &version{Event: e}
		if e.User == agentUser {
			v.process = w.caller
		}
		o := e.New
		if o == nil {
			o = e.Old
		}
		w.note("%s %s %s/%s %d by %s %s", e.Verb, e.Resource, o.GetNamespace(), o.GetName(),
			e.Version, e.User, v.process)
		w.add(event{version: v})
	})
	return nil
}

// agentUser is the agent's, as Kubernetes knows it.
const agentUser = "system:serviceaccount:" + requests.AgentNamespace + ":" + render.Agent

// act has people do one thing after the other, and returns when all that broke beside is whole again.
func (w *world) act() {
	var ending sync.WaitGroup
	defer ending.Wait()
	for n := 0; time.Since(begin) < w.length; n++ {
		what := fmt.Sprint("doing ", n)
		time.Sleep(w.span(time.Second, 2*w.every, what+" when"))
		w.mu.Lock()
		does := w.only == nil || w.only[what]
		if does {
			w.met = append(w.met, what)
		}
		w.mu.Unlock()
		if !does {
			continue
		}
		if err := w.doing(n, what); err != nil {
			w.note("people fail: %v", err)
		}
		w.hub.moved("people")
		w.beside(what, &ending)
	}
}

// doing is one doing of people's. What does not work is an error, which is no defect: somebody else
// was faster.
func (w *world) doing(n int, what string) error {
	choice := w.below(14, what)
	if choice < 6 || len(w.asked) == 0 {
		return w.ask(n, what)
	}
	r := w.asked[max(0, len(w.asked)-1-w.below(3, what+" which"))]
	switch choice {
	case 6, 7:
		w.does(takesAway, r)
		_, err := w.forge.Push(forge.Change{User: "root", Message: "Take it",
			Files: map[string]string{r.path: forge.Removed}})
		return err
	case 8, 9:
		return w.giveBack(r, what)
	case 10:
		w.does(puts, r)
		_, err := w.forge.Push(forge.Change{User: "root", Message: "Put it back",
			Files: map[string]string{r.path: r.content}})
		return err
	}
	if choice == 11 {
		return w.removes(deletes, "rolebindings", r)
	}
	if choice == 12 {
		return w.removes(deletesJob, "jobs", r)
	}
	return w.ask(n, what)
}

func (w *world) ask(n int, what string) error {
	r := &request{name: fmt.Sprintf("%s-alice-n%d", time.Now().UTC().Format("20060102"), n),
		length: time.Duration(5+w.below(55, what+" length")) * time.Minute}
	r.path = requests.Path(clusterName, policy, r.name)
	r.content = fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: %s}
spec:
  cluster: %s
  policy: %s
  requester: alice
  duration: %dm
  reason: %s checkout is slow
`, r.name, clusterName, policy, int(r.length.Minutes()), canary)
	branch := "ask-" + r.name
	w.does(asks, r)
	w.asked = append(w.asked, r)
	number, err := w.open(branch, map[string]string{r.path: r.content})
	if err != nil {
		return err
	}
	r.number = number
	if w.below(1000, what+" approved") < 850 {
		time.Sleep(w.span(0, 3*time.Minute, what+" approved when"))
		w.does(approves, r)
		if _, err := w.forge.Review("bob", number, "APPROVE"); err != nil {
			return err
		}
	}
	w.hub.moved("people")
	time.Sleep(w.span(0, 3*time.Minute, what+" merged when"))
	w.does(merges, r)
	_, err = w.forge.Merge("root", number)
	return err
}

// open has alice open a pull request.
func (w *world) open(branch string, files map[string]string) (number int, err error) {
	if _, err := w.forge.Push(forge.Change{User: "alice", Branch: branch, Message: "Ask",
		Files: files}); err != nil {
		return 0, err
	}
	return w.forge.Open("alice", branch, "Ask")
}

func (w *world) giveBack(r *request, what string) error {
	number, err := w.open("return-"+r.name+what[len("doing "):], map[string]string{r.path: forge.Removed})
	if err != nil {
		return err
	}
	w.does(givesBack, r)
	_, err = w.forge.Merge("root", number)
	return err
}
