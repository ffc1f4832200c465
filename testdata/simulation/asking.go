package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// wish is one kind of thing that people ask for: under a policy, with lines of the request's spec
// that only it has, and all that is to be made for it but Jobs. Of each object it says
//
//	resource namespace/name: what it gives
//
// where ID is the name of what is made for the request, USER who asks, and - stands for the names of
// what matches, as it comes and goes. In the spec TICKET is the number of the request's ticket.
type wish struct {
	policy  string
	spec    string
	gives   []string
	matches func(pod cluster.Object) bool // nil: nothing
	allowed string                        // by what; empty: a review of bob's
}

// What allows a request, where that is no review.
const (
	byItself = "itself" // its challenges are met with nobody's review
	glass    = "glass"  // that is broken: it is merged by the agent, and answered for afterwards
	nothing  = "nothing"
)

// ownRole binds the Role of a grant to who asks.
const ownRole = "rolebindings orders/ID: Role ID to User USER"

// ownIdentity is the right to act as the identity of a grant.
const ownIdentity = "roles pullgrant-grants/ID: impersonate serviceaccounts ID\n" +
	"rolebindings pullgrant-grants/ID: Role ID to User USER"

// wishes are what people ask for, one as often as the other.
var wishes = append([]wish{
	{"payments-debug", "", []string{
		"rolebindings payments/ID: ClusterRole payments-debug to User USER"}, nil, ""},
	{"shop-logs", "namespace: shop-b", []string{
		"rolebindings shop-b/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{"shop-logs", `namespace: "shop-*"`, []string{
		"rolebindings shop-a/ID: ClusterRole logs-reader to User USER",
		"rolebindings shop-b/ID.2: ClusterRole logs-reader to User USER",
		"rolebindings shop-c/ID.3: ClusterRole logs-reader to User USER"}, nil, ""},
	{"orders-scale", "resources: [deployments.apps/orders-api]", []string{
		"roles orders/ID: get,list,watch apps/deployments orders-api; " +
			"get,patch,update apps/deployments/scale orders-api", ownRole}, nil, ""},
	{"orders-scale", "resources: [deployments.apps/orders-api, pods/orders-db-0]", []string{
		"roles orders/ID: get,list,watch apps/deployments orders-api; " +
			"get,patch,update apps/deployments/scale orders-api; get pods orders-db-0", ownRole}, nil, ""},
	{"orders-scale", `resources: ["pods/orders-api-*"]`, []string{
		"roles orders/ID: get pods -", ownRole},
		func(pod cluster.Object) bool { return strings.HasPrefix(pod.GetName(), deployed+"-") }, ""},
	{"orders-scale", "resources: [pods]\nselector: app=orders-api", []string{
		"roles orders/ID: get pods -", ownRole},
		func(pod cluster.Object) bool { return pod.GetLabels()["app"] == deployed }, ""},
	{"orders-command", "exec: {pod: orders-db-0, container: proxy, command: [date]}", []string{
		"roles orders/ID: get pods orders-db-0; create pods/exec orders-db-0; " +
			"run exec.pullgrant.dev/commands orders-db-0/proxy date", ownRole}, nil, ""},
	{"orders-command", `exec: {pod: orders-db-0, command: [cat, "/etc/orders/*"]}`, []string{
		"roles orders/ID: get pods orders-db-0; create pods/exec orders-db-0; " +
			"run exec.pullgrant.dev/commands orders-db-0/app cat /etc/orders/*", ownRole}, nil, ""},
	{"orders-command", "exec: {deployment: orders-api, container: app, command: [date]}", []string{
		"roles orders/ID: get pods -; create pods/exec -; run exec.pullgrant.dev/commands -",
		ownRole}, ofDeployment, ""},
	{"orders-once", "exec: {pod: orders-db-0, command: [date]}", []string{
		"roles orders/ID: get pods orders-db-0; create pods/exec orders-db-0; " +
			"run exec.pullgrant.dev/commands orders-db-0/app date", ownRole}, nil, ""},
	{"node-triage", "", []string{"clusterrolebindings /ID: ClusterRole node-triage to " +
		"ServiceAccount pullgrant-grants/ID", ownIdentity}, nil, ""},
	{"incident", "resources: [deployments.apps/orders-api]\n" +
		"exec: {pod: orders-db-0, container: app, command: [date]}", []string{
		"rolebindings payments/ID: ClusterRole payments-debug to ServiceAccount pullgrant-grants/ID",
		"clusterroles /ID.2: get apps/deployments orders-api",
		"clusterrolebindings /ID.2: ClusterRole ID.2 to ServiceAccount pullgrant-grants/ID",
		"clusterrolebindings /ID.3: ClusterRole node-triage to ServiceAccount pullgrant-grants/ID",
		"roles orders/ID.4: get pods orders-db-0; create pods/exec orders-db-0; " +
			"run exec.pullgrant.dev/commands orders-db-0/app date",
		"rolebindings orders/ID.4: Role ID.4 to ServiceAccount pullgrant-grants/ID", ownIdentity}, nil, ""},
	{"shop-peers", "", []string{"rolebindings shop-a/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{"shop-both", "", []string{"rolebindings shop-b/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{"shop-oncall", "", []string{"rolebindings shop-a/ID: ClusterRole logs-reader to User USER"}, nil,
		byItself},
	{"payments-oncall", "", []string{"rolebindings payments/ID: ClusterRole payments-debug to User USER"},
		nil, nothing},
	{"shop-sudo", "", []string{"rolebindings shop-c/ID: ClusterRole logs-reader to User USER"}, nil,
		byItself},
	{"payments-sudo", "", []string{"rolebindings payments/ID: ClusterRole payments-debug to User USER"},
		nil, nothing},
	{"payments-glass", "breakGlass: true", []string{
		"rolebindings payments/ID: ClusterRole payments-debug to User USER"}, nil, glass},
}, decidedOtherwise...)

// objects are what is to be made for a request, and what each gives, by resource, namespace and name.
func (r *request) objects() map[string]string {
	all := map[string]string{}
	text := strings.NewReplacer("ID", requests.ObjectName(r.name, 0), "USER", r.user).
		Replace(strings.Join(r.gives, "\n"))
	for line := range strings.SplitSeq(text, "\n") {
		where, what, _ := strings.Cut(line, ": ")
		all[where] = what
	}
	return all
}

// jobs are those that end it.
func (r *request) jobs() map[string]bool {
	all := map[string]bool{}
	for where := range r.objects() {
		_, where, _ = strings.Cut(where, " ")
		if in, _, _ := strings.Cut(where, "/"); in != "" {
			all["jobs "+in+"/"+requests.ObjectName(r.name, 0)] = true
		}
	}
	return all
}

// wants is the request of an occasion, or one that takes a review.
func (w *world) wants(o occasion, reviewed bool) *request {
	drawn := len(wishes) - len(instead) // those at the end are asked for instead of others
	what := w.below(drawn, o.name+" what")
	if w.inTurn {
		what = len(w.asked)
	}
	for _, under := range []string{w.under, ""} { // where none under it is as it is to be, any that is
		for range wishes {
			one := &wishes[what]
			if policy := instead[one.policy]; policy != "" && !w.inTurn && w.below(2, o.name+" instead") == 0 {
				one = &wishes[slices.IndexFunc(wishes, func(other wish) bool { return other.policy == policy })]
			}
			if (!reviewed || one.allowed == "") && strings.HasPrefix(one.policy, under) {
				return w.request(one, o)
			}
			what = (what + 1) % drawn
		}
	}
	panic("nothing takes a review")
}

// request is one for something, of an occasion.
func (w *world) request(what *wish, o occasion) *request {
	r := &request{wish: what, user: "alice@example.com", asked: time.Now().UTC(),
		name: requestName(o.n), ticket: o.n + 1,
		cluster: w.sites[w.below(len(w.sites), o.name+" where")].name,
		length:  time.Duration(5+w.below(55, o.name+" length")) * time.Minute}
	switch {
	case r.allowed == glass:
		r.name = strings.Replace(r.name, "-n", "-breakglass-n", 1)
	case w.below(100, o.name+" starts") < 15:
		r.notBefore = r.asked.Add(w.span(time.Minute, 20*time.Minute,
			o.name+" starts when")).Truncate(time.Second)
	}
	w.rename(r, o)
	r.write()
	w.answersTo(r, o)
	return r
}

// latest is when its access is over at the latest: it is merged within six minutes.
func (r *request) latest() time.Time {
	start := r.asked.Add(6 * time.Minute)
	if r.notBefore.After(start) {
		start = r.notBefore
	}
	if r.extends != nil && r.extends.latest().After(start) {
		start = r.extends.latest()
	}
	_, end := r.within(start)
	return end
}

// goesOn is a request for more of what another one gives.
func (w *world) goesOn(from *request, o occasion) *request {
	r := *from
	r.name = requestName(o.n)
	r.length = time.Duration(5+w.below(15, o.name+" length")) * time.Minute
	r.asked, r.extends, r.notBefore = time.Now().UTC(), from, time.Time{}
	r.number, r.pulls, r.commit = 0, nil, "" // it has a pull request of its own
	r.write()
	return &r
}

// write makes the file of a request.
func (r *request) write() {
	r.path = requests.Path(r.cluster, r.policy, r.name)
	r.content = fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: %s}
spec:
  cluster: %s
  policy: %s
  requester: alice
  duration: %dm
  reason: %s checkout is slow
`, r.name, r.cluster, r.policy, int(r.length.Minutes()), canary)
	for line := range strings.Lines(strings.ReplaceAll(r.spec, "TICKET", fmt.Sprint(r.ticket))) {
		r.content += "  " + strings.TrimSuffix(line, "\n") + "\n"
	}
	if r.extends != nil {
		r.content += "  extends: " + r.extends.name + "\n"
	}
	if !r.notBefore.IsZero() {
		r.content += "  notBefore: " + r.notBefore.Format(time.RFC3339) + "\n"
	}
}
