package simulation

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// canary stands in every reason; it may reach nothing but files.
const canary = "CANARY"

// What people do.
const (
	extends    = "extend"  // what was asked for, by another request
	asks       = "ask"     // open a pull request for a request
	approves   = "approve" // it
	merges     = "merge"   // it, whether it is approved or not
	takesAway  = "take"    // the request's file from main, as an administrator
	givesBack  = "return"  // access, by a pull request of the requester's that removes the file
	deletes    = "delete"  // something that gives access, by hand
	deletesJob = "disarm"  // a backstop, by hand
	rolls      = "roll"    // a pod of what runs
	answers    = "answer"  // for access that was had before anybody looked at it
	puts       = "put"     // a request's file on main, as an administrator, often where it was before
)

// doing is something that people do next, and how often among all that they may. What does not work
// is an error, which is no defect: somebody else was faster.
type doing struct {
	name  string
	often int
	do    func(w *world, o occasion) error
}

// doings are what people do. Each is of a request that they asked for lately but for the first, which
// asks for one, and for what they do with what runs.
var doings = append([]doing{
	{asks, 32, (*world).ask},
	{extends, 6, lately(func(w *world, r *request, o occasion) error {
		if r.allowed == glass { // which is for what cannot wait
			return w.ask(o)
		}
		return w.propose(w.goesOn(r, o), o)
	})},
	{takesAway, 6, lately(func(w *world, r *request, _ occasion) error {
		w.does(takesAway, r)
		_, err := w.forge.Push(forge.Change{User: "root", Message: "Take it",
			Files: map[string]string{r.path: forge.Removed}})
		return err
	})},
	{givesBack, 6, lately((*world).giveBack)},
	{puts, 3, lately(func(w *world, r *request, _ occasion) error {
		w.does(puts, r)
		_, err := w.forge.Push(forge.Change{User: "root", Message: "Put it back",
			Files: map[string]string{r.path: r.content}})
		return err
	})},
	{asksForMore, 2, (*world).crowd},
	{rolls, 6, (*world).roll},
	{deletes, 3, lately(func(w *world, r *request, o occasion) error {
		w.does(deletes, r)
		all := slices.Sorted(maps.Keys(r.objects()))
		return w.removes(r, all[w.below(len(all), o.name+" what")])
	})},
	{deletesJob, 3, lately(func(w *world, r *request, o occasion) error {
		w.does(deletesJob, r)
		all := slices.Sorted(maps.Keys(r.jobs()))
		return w.removes(r, all[w.below(len(all), o.name+" what")])
	})},
}, ways()...)

// occasion is the time of one doing: its number, and a name for what chance decides about it.
type occasion struct {
	n    int
	name string
}

// lately is a doing about one of the last requests. There is none at first: then people ask for one.
func lately(do func(w *world, r *request, o occasion) error) func(w *world, o occasion) error {
	return func(w *world, o occasion) error {
		if len(w.asked) == 0 {
			return w.ask(o)
		}
		return do(w, w.asked[max(0, len(w.asked)-1-w.below(3, o.name+" which"))], o)
	}
}

// request is one that somebody made. What is said of it is what people know.
type request struct {
	*wish
	name, cluster string
	user          string // in Kubernetes, of who asks
	path, content string
	ticket        int    // its number
	number        int    // of its pull request, the last one that asked for it
	pulls         []int  // all of them
	commit        string // as which that was merged
	length        time.Duration
	asked         time.Time // when
	extends       *request  // the one that it goes on from; nil: none
	notBefore     time.Time // zero: it begins with its merge
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
	f.AddApp("agent", 7002, appRights...)
	w.others()
	w.decideRotas()
	f.Protect(usualRules())
	if w.trusted = w.shape(onBranch, "branch"); w.trusted {
		w.add(event{trusted: true})
	}
	for _, name := range w.clusters() {
		s, err := w.newSite(name)
		if err != nil {
			return err
		}
		w.sites = append(w.sites, s)
	}
	files, err := install(w.sites)
	if err != nil {
		return err
	}
	if _, err := f.Seed(files, "Start", "root"); err != nil {
		return err
	}
	w.hub.moved("root")
	return nil
}

// siteOf is where a request gives access.
func (w *world) siteOf(r *request) *site {
	return w.sites[slices.IndexFunc(w.sites, func(s *site) bool { return s.name == r.cluster })]
}

// works is how much of a day people are at work; in what is left of it they do an eighth as much, as those
// who are on call.
const works = 8 * time.Hour

// act has people do one thing after the other, and returns when all of it is done and what broke
// beside is whole again.
func (w *world) act() {
	defer w.busy.Wait()
	for n := 0; time.Since(begin) < w.length; n++ {
		o := occasion{n, fmt.Sprint("doing ", n)}
		between := w.every
		if time.Since(begin)%(24*time.Hour) >= works {
			between *= 8
		}
		time.Sleep(w.span(time.Second, 2*between, o.name+" when"))
		d := w.next(o)
		if d == nil {
			continue
		}
		w.mu.Lock()
		w.met = append(w.met, o.does(d))
		w.mu.Unlock()
		if err := d.do(w, o); err != nil {
			w.note("people fail: %v", err)
		}
		w.hub.moved("people")
		w.beside(o.name)
	}
}

// next is what people do on an occasion: by chance, or what the case says; nil: nothing.
func (w *world) next(o occasion) *doing {
	if w.inTurn {
		if len(w.asked) < len(wishes) {
			return &doings[0]
		}
		return nil
	}
	all := 0
	for _, d := range doings {
		all += d.often
	}
	drawn := w.below(all, o.name)
	for i, d := range doings {
		drawn -= d.often
		if w.only == nil && drawn < 0 || w.only[o.does(&d)] {
			return &doings[i]
		}
	}
	return nil
}

// does names what people do on the occasion.
func (o occasion) does(d *doing) string { return o.name + ": " + d.name }

// came notes the pull request that asks for it.
func (r *request) came(number int) { r.number, r.pulls = number, append(r.pulls, number) }

func (w *world) ask(o occasion) error { return w.propose(w.wants(o, false), o) }

// propose has alice open a pull request for a request of her own. What becomes of that takes its
// time, beside whatever else people do.
func (w *world) propose(r *request, o occasion) error {
	w.does(asks, r)
	number, err := w.open(fmt.Sprint("ask-", o.n), map[string]string{r.path: r.content})
	if err != nil {
		return err
	}
	r.came(number)
	w.asked = append(w.asked, r)
	w.busy.Go(func() {
		see := w.see
		if r.allowed == glass {
			see = w.answerFor
		}
		if err := see(r, o); err != nil {
			w.note("people fail: %v", err)
		}
	})
	return nil
}

// see has bob perhaps approve a request where it takes that, and an administrator merge it whether he did or not.
func (w *world) see(r *request, o occasion) error {
	if r.allowed == "" && (w.inTurn || w.below(1000, o.name+" approved") < 850) {
		time.Sleep(w.span(0, 3*time.Minute, o.name+" approved when"))
		w.does(approves, r)
		if _, err := w.forge.Review("bob", r.number, "APPROVE"); err != nil {
			return err
		}
		w.hub.moved("people")
	}
	time.Sleep(w.span(0, 3*time.Minute, o.name+" merged when"))
	w.does(merges, r)
	w.uses(r, o)
	commit, err := w.forge.Merge("root", r.number)
	r.commit = commit
	if err != nil {
		w.does(mergesNot, r)
	}
	w.hub.moved("people")
	return err
}

// requestName is the name of the request that people ask for by a doing.
func requestName(n int) string {
	return fmt.Sprintf("%s-alice-n%d", time.Now().UTC().Format("20060102"), n)
}

// open has alice open a pull request.
func (w *world) open(branch string, files map[string]string) (number int, err error) {
	return w.openBy("alice", branch, "Ask", files)
}

// openBy has somebody open one, of one commit.
func (w *world) openBy(who, branch, title string, files map[string]string) (number int, err error) {
	if _, err := w.forge.Push(forge.Change{User: who, Branch: branch, Message: title, Files: files}); err != nil {
		return 0, err
	}
	return w.forge.Open(who, branch, title)
}

func (w *world) giveBack(r *request, o occasion) error {
	number, err := w.open(fmt.Sprintf("return-%s-%d", r.name, o.n), map[string]string{r.path: forge.Removed})
	if err != nil {
		return err
	}
	w.does(givesBack, r)
	_, err = w.forge.Merge("root", number)
	return err
}

// removes deletes an object of a request by hand, as an administrator of its cluster.
func (w *world) removes(r *request, object string) error {
	resource, where, _ := strings.Cut(object, " ")
	in, name, _ := strings.Cut(where, "/")
	group, path := "rbac.authorization.k8s.io", ""
	if resource == "jobs" {
		group = "batch"
	}
	if in != "" {
		path = "/namespaces/" + in
	}
	return w.siteOf(r).byHand(http.MethodDelete, fmt.Sprintf("/apis/%s/v1%s/%s/%s", group, path, resource,
		name), []byte(`{"propagationPolicy":"Background"}`))
}
