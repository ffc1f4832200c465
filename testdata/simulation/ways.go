package simulation

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// More of what people do about a request.
const (
	changesIt     = "push again"        // to its branch, after which an approval is of another commit
	dismisses     = "dismiss"           // the approval
	objects       = "request changes"   // as its approver
	inVain        = "approve in vain"   // as somebody whose approval does not count
	closes        = "close"             // unmerged
	spoils        = "spoil"             // it, so that nothing is ever given for it
	changesOnMain = "change it on main" // its file, as an administrator
	takesUp       = "contribute"        // as its approver, by a commit
	mergesNot     = "fail to merge"     // for main is another by now
	asksAgain     = "ask again"         // for it, by another pull request
)

// step is one thing of several that people do about one request.
type step func(w *world, r *request, o occasion) error

// odd are ways in which people ask that are not the usual one, step by step. Every merge is by an
// administrator, whom no rule of GitHub's holds up.
var odd = []struct {
	name  string
	steps []step
}{
	{"ask and close", []step{opened, approved, closed}},
	{"ask in other words", []step{opened, reworded, approved, merged("merge")}},
	{"ask and squash", []step{opened, approved, merged("squash")}},
	{"ask and rebase", []step{opened, approved, merged("rebase")}},
	{"ask and push again", []step{opened, approved, pushedAgain, merged("merge")}},
	{"ask and have it approved again", []step{opened, approved, pushedAgain, approved, merged("squash")}},
	{"ask and have it dismissed", []step{opened, approved, dismissed, merged("merge")}},
	{"ask and have changes requested", []step{opened, approved, objected, merged("merge")}},
	{"ask and have it approved after all", []step{opened, objected, approved, merged("merge")}},
	{"ask and be refused", []step{opened, objected, closed}},
	{"ask and be refused and ask again", []step{opened, objected, closed, opened, approved, merged("merge")}},
	{"ask and approve it oneself", []step{opened, approvedBy("alice"), merged("merge")}},
	{"ask and have a reader approve", []step{opened, approvedBy("eve"), merged("merge")}},
	{"ask and have no owner approve", []step{opened, approvedBy("dave"), merged("merge")}},
	{"ask with the approver's commit", []step{opened, contributed, approved, merged("merge")}},
	{"ask for two", []step{openedWithAnother, approved, merged("merge")}},
	{"ask beside other files", []step{openedBeside, approved, merged("merge")}},
	{"ask badly", []step{openedBadly, approved, merged("merge")}},
	{"push a request", []step{pushedStraight}},
	{"ask and change it on main", []step{opened, approved, merged("merge"), changedOnMain}},
}

// ways are odd, as things that people do. What becomes of a request takes its time, beside whatever
// else they do.
func ways() (all []doing) {
	for _, one := range odd {
		all = append(all, doing{one.name, 1, func(w *world, o occasion) error {
			if w.trusted { // whoever pushes gives access, in whichever way
				return w.ask(o)
			}
			r := w.wants(o, true)
			w.does(asks, r)
			if err := one.steps[0](w, r, o); err != nil {
				return err
			}
			w.asked = append(w.asked, r)
			w.busy.Go(func() {
				if err := w.follow(r, o, one.steps[1:]); err != nil {
					w.note("people fail: %v", err)
				}
			})
			return nil
		}})
	}
	return all
}

// follow takes one step after the other.
func (w *world) follow(r *request, o occasion, steps []step) error {
	for i, do := range steps {
		time.Sleep(w.span(0, 2*time.Minute, fmt.Sprint(o.name, " step ", i)))
		if err := do(w, r, o); err != nil {
			return err
		}
		w.hub.moved("people")
	}
	return nil
}

// others are people beside those who ask, own and administer.
func (w *world) others() {
	for i, login := range []string{"carol", "dave", "eve"} {
		w.forge.AddUser(login, int64(104+i), login+"@example.com")
		w.forge.SetPermission(login, []string{"write", "write", "read"}[i])
	}
	w.forge.AddTeam(team, 501, "", "bob", "carol")
	w.forge.SetTeamPermission(team, "write")
	w.forge.SetManners(usualManners)
}

func opened(w *world, r *request, o occasion) error {
	if r.number != 0 {
		w.does(asksAgain, r)
	}
	return w.opens(fmt.Sprint("ask-", o.n, "-", r.number), map[string]string{r.path: r.content}, r)
}

// opens has alice open a pull request for some requests.
func (w *world) opens(branch string, files map[string]string, of ...*request) error {
	number, err := w.open(branch, files)
	if err != nil {
		return err
	}
	for _, r := range of {
		r.came(number)
	}
	return nil
}

// openedWithAnother asks for two things at once.
func openedWithAnother(w *world, r *request, o occasion) error {
	other := w.wants(occasion{o.n, o.name + " too"}, true)
	was := other.name
	other.name += "-too"
	other.path = requests.Path(other.cluster, other.policy, other.name)
	other.content = strings.Replace(other.content, was, other.name, 1)
	w.does(asks, other)
	w.does(spoils, r)
	w.does(spoils, other)
	return w.opens(fmt.Sprint("ask-", o.n), map[string]string{r.path: r.content, other.path: other.content},
		r, other)
}

func openedBeside(w *world, r *request, o occasion) error {
	w.does(spoils, r)
	return w.opens(fmt.Sprint("ask-", o.n), map[string]string{r.path: r.content,
		"docs/" + r.name + ".md": "Why we need it\n"}, r)
}

// openedBadly asks by a file that is no request.
func openedBadly(w *world, r *request, o occasion) error {
	w.does(spoils, r)
	r.content += "  forever: true\n"
	return opened(w, r, o)
}

func approved(w *world, r *request, o occasion) error { return approvedBy("bob")(w, r, o) }

func approvedBy(who string) step {
	return func(w *world, r *request, _ occasion) error {
		if who == "bob" {
			w.does(approves, r)
		} else {
			w.does(inVain, r)
		}
		if _, err := w.forge.Review(who, r.number, "APPROVE"); err != nil && who == "bob" {
			return err // GitHub itself lets nobody approve their own
		}
		return nil
	}
}

func objected(w *world, r *request, _ occasion) error {
	w.does(objects, r)
	_, err := w.forge.Review("bob", r.number, "REQUEST_CHANGES")
	return err
}

// dismissed has an administrator dismiss the approval.
func dismissed(w *world, r *request, _ occasion) error {
	w.does(dismisses, r)
	var reviews []struct{ ID int64 }
	path := fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", r.number)
	if err := w.forge.Do(w.forge.Token("root"), http.MethodGet, path, nil, &reviews); err != nil {
		return err
	}
	for _, one := range reviews {
		if err := w.forge.Do(w.forge.Token("root"), http.MethodPut,
			fmt.Sprintf("%s/%d/dismissals", path, one.ID), map[string]string{"message": "No"}, nil); err != nil {
			return err
		}
	}
	return nil
}

// pushedBy is a commit more on the branch, which changes the length of what is asked for.
func pushedBy(who, what, message string) step {
	return func(w *world, r *request, _ occasion) error {
		w.does(what, r)
		r.lengthened(time.Minute)
		_, err := w.forge.Push(forge.Change{User: who, Branch: w.pullOf(r).Head.Ref, Message: message,
			Files: map[string]string{r.path: r.content}})
		return err
	}
}

func pushedAgain(w *world, r *request, o occasion) error {
	return pushedBy("alice", changesIt, "More")(w, r, o)
}

// contributed is a commit of the approver's own.
func contributed(w *world, r *request, o occasion) error {
	return pushedBy("bob", takesUp, "Let me")(w, r, o)
}

// pull is a pull request as GitHub tells of it.
type pull struct {
	State string
	Head  struct{ Ref, SHA string }
}

// pullOf is a request's last pull request.
func (w *world) pullOf(r *request) (of pull) {
	if err := w.forge.Do(w.forge.Token("root"), http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d",
		r.number), nil, &of); err != nil {
		panic(err) // the forge has every pull request that it opened
	}
	return of
}

// lengthened asks for more.
func (r *request) lengthened(by time.Duration) {
	was := fmt.Sprintf("duration: %dm", int(r.length.Minutes()))
	r.length += by
	r.content = strings.Replace(r.content, was, fmt.Sprintf("duration: %dm", int(r.length.Minutes())), 1)
}

func reworded(w *world, r *request, _ occasion) error {
	return w.patch(r, map[string]string{"title": "Ask, please", "body": "Because " + canary})
}

func closed(w *world, r *request, _ occasion) error {
	w.does(closes, r)
	return w.patch(r, map[string]string{"state": "closed"})
}

// patch changes the pull request itself, as the requester.
func (w *world) patch(r *request, fields map[string]string) error {
	return w.forge.Do(w.forge.Token("alice"), http.MethodPatch,
		fmt.Sprintf("/repos/acme/access/pulls/%d", r.number), fields, nil)
}

func merged(method string) step {
	return func(w *world, r *request, _ occasion) error {
		w.does(merges, r)
		var as struct{ SHA string }
		err := w.forge.Do(w.forge.Token("root"), http.MethodPut,
			fmt.Sprintf("/repos/acme/access/pulls/%d/merge", r.number), map[string]string{
				"merge_method": method}, &as)
		if r.commit = as.SHA; err != nil {
			w.does(mergesNot, r)
		}
		return err
	}
}

// pushedStraight puts the file on main without a pull request.
func pushedStraight(w *world, r *request, _ occasion) error {
	w.does(spoils, r)
	_, err := w.forge.Push(forge.Change{User: "root", Message: "Quickly",
		Files: map[string]string{r.path: r.content}})
	return err
}

// changedOnMain has the file on main ask for more.
func changedOnMain(w *world, r *request, _ occasion) error {
	if w.hub.file(r.path) == "" {
		return nil // it is over
	}
	w.does(changesOnMain, r)
	_, err := w.forge.Push(forge.Change{User: "root", Message: "Longer", Files: map[string]string{
		r.path: strings.Replace(r.content, "duration: ", "duration: 1", 1)}})
	return err
}
