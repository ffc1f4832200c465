package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	coordination "k8s.io/api/coordination/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// Names of what people do to the history of main.
const (
	setBack  = "main set back"     // to an earlier commit, until somebody puts it back or accepts that
	reverted = "last push undone"  // by a commit that has main's files as they were before
	accepted = "accepted on Lease" // a fact: the commit that a person accepted, of a cluster
)

// rewrites are faults of main's history.
var rewrites = []beside{
	{setBack, 2000, true, func(w *world, _ *site, _ string) func() { return w.setsBack() }},
	{reverted, 2000, true, func(w *world, _ *site, _ string) func() {
		w.reverts()
		w.settleAll()
		return nil
	}},
}

// setsBack forgets some of the last commits of main.
func (w *world) setsBack() (end func()) {
	name := fmt.Sprint(setBack, " ", time.Since(begin))
	line := w.hub.line()
	back := 1 + w.below(6, name+" by")
	if w.trusted || back >= len(line) { // where it is trusted, all of it counts from when it comes
		return nil
	}
	was, to := line[0], line[back]
	w.note("main is set back by %d commits, to %s", back, to)
	over := w.stops(setBack)
	w.setMain(to)
	return func() {
		defer over()
		w.changing.Lock() // main is not to move meanwhile
		if w.forge.Branch("main") == to && w.below(2, name+" mended") == 0 {
			w.setMain(was)
			w.acceptLost()
		} else {
			for _, s := range w.sites {
				s.accept()
			}
		}
		w.changing.Unlock()
		w.settleAll()
	}
}

func (w *world) setMain(to string) {
	if err := w.forge.SetBranch("root", "main", to); err != nil {
		w.note("people fail: %v", err)
	}
	w.hub.moved("people")
}

// accept has a cluster go on from main as it is, as docs/emergency.md says.
func (s *site) accept() {
	tip := s.w.forge.Branch("main")
	s.w.becomes(of(accepted, s.name), tip)
	if err := s.byHand(http.MethodPatch, leasePath,
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q,%q:null}}}`, kube.AnnotationHead, tip,
			kube.AnnotationSeen)); err != nil {
		s.w.note("people fail: %v", err)
	}
}

// acceptLost does so where the Lease names a commit that main lost: an etcd that was set back knows
// again what was accepted before main was.
func (w *world) acceptLost() {
	line := w.hub.line()
	for _, s := range w.sites {
		var lease coordination.Lease
		answer, err := s.asked(http.MethodGet, leasePath, nil)
		if err == nil {
			err = json.Unmarshal(answer, &lease)
		}
		if err != nil {
			w.note("people fail: %v", err) // it may be gone
			continue
		}
		head := onLease(lease.Annotations)
		if head != "" && !slices.Contains(line, head) {
			s.accept()
		}
	}
}

// reverts undoes the last push, whoever made it: a merge, or an entry of the ledger.
func (w *world) reverts() {
	files := map[string]string{}
	line := w.hub.line()
	if w.trusted || len(line) < 2 {
		return
	}
	for path, content := range w.hub.before(line[0]) {
		if strings.HasPrefix(path, requests.Folder+"/") || strings.HasPrefix(path, requests.RevocationsFolder+"/") {
			files[path] = content
		}
	}
	if len(files) == 0 {
		return
	}
	for _, r := range w.asked {
		if files[r.path] == forge.Removed {
			w.does(takesAway, r)
		}
	}
	if _, err := w.forge.Push(forge.Change{User: "root", Message: "Revert", Files: files}); err != nil {
		w.note("people fail: %v", err)
	}
	w.hub.moved("people")
}

// line is main's first-parent line, the tip first.
func (h *hub) line() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Fields(h.git("rev-list", "--first-parent", "main"))
}

// before are the files that a commit changed, as they were before it.
func (h *hub) before(commit string) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	files := map[string]string{}
	for line := range strings.SplitSeq(h.git("diff", "--no-renames", "--name-status", commit+"^", commit), "\n") {
		switch status, path, _ := strings.Cut(line, "\t"); status {
		case "A":
			files[path] = forge.Removed
		case "D", "M":
			files[path] = h.git("show", commit+"^:"+path)
		}
	}
	return files
}
