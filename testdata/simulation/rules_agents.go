package simulation

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// writes are what agents do to objects; what gives access is never changed but for the names of what
// matches.
var writes = []string{"rolebindings create", "rolebindings delete", "clusterrolebindings create",
	"clusterrolebindings delete", "roles create", "roles delete", "clusterroles create",
	"clusterroles delete", "jobs create", "jobs delete", "configmaps create", "configmaps update",
	"configmaps delete", "leases create", "leases update", "events create", "events update"}

// verbs are what calls to write do to objects.
var verbs = map[string]string{http.MethodPost: "create", http.MethodPut: "update",
	http.MethodPatch: "update", http.MethodDelete: "delete"}

// kind is the resource of a call and what it is to do to an object of it, done or refused.
func (c *call) kind() string {
	path := strings.Split(c.path, "/")[3:] // behind /api/v1, or /apis and a group
	if strings.HasPrefix(c.path, "/apis/") {
		path = path[1:]
	}
	if path[0] == "namespaces" && len(path) > 2 {
		path = path[2:]
	}
	return path[0] + " " + verbs[c.method]
}

// mayWrite: agents write nothing else, nor try to; they ask what is allowed.
func mayWrite(h history) (wrong []string) {
	for _, e := range h {
		// what it changes of a Role, its version says
		if c := e.call; c != nil && !slices.Contains(writesOf(c.process), c.kind()) &&
			!strings.HasSuffix(c.kind(), "reviews create") && c.kind() != "roles update" {
			wrong = append(wrong, fmt.Sprintf("%s: %s by %s %s", c.process, c.kind(), c.method, c.path))
		}
		v := e.version
		if v == nil || v.process == "" {
			continue
		}
		// a finalizer's first step is no change of the agent's
		deleting := v.New != nil && v.New.GetDeletionTimestamp() != nil
		if !slices.Contains(writesOf(v.process), v.kind()) && !deleting &&
			!(slices.Contains([]string{agents.name, passes.name}, programOf(v.process)) && v.changesNames()) {
			wrong = append(wrong, fmt.Sprintf("%s: %s of %s", v.process, v.kind(), v.object().GetName()))
		}
	}
	return wrong
}

// leaderWrites are what grants, and what keeps records.
var leaderWrites = []string{"rolebindings create", "clusterrolebindings create", "roles create",
	"roles update", "clusterroles create", "jobs create", "configmaps create", "configmaps update"}

// leaves is how long a replica may lead on from which somebody took the Lease by hand, whether another
// has it at once or it is gone, or by setting back etcd: it finds that out when it cannot renew it for
// so long.
const leaves = 10*time.Second + 2*time.Second

// wakes is how long one may lead on that slept meanwhile: what it had begun goes on beside the try to renew
// the Lease.
const wakes = time.Second

// leads: of replicas, only the one that holds the Lease grants and keeps records.
func leads(h history) (wrong []string) {
	holders := map[string]string{} // by cluster
	lost := map[string]time.Time{} // until when a process may take itself for the holder
	led := map[string]bool{}       // as it fell asleep
	for _, e := range h {
		v := e.version
		for system, down := range e.down {
			process, slept := strings.CutPrefix(system, of(sleeping, ""))
			switch {
			case slept && down:
				led[process] = slices.Contains(slices.Collect(maps.Values(holders)), process)
			case slept && led[process]:
				lost[process] = e.at.Add(wakes)
			}
		}
		switch {
		case v == nil:
		case v.Resource == "leases":
			before, now := holders[v.cluster], holder(v.New)
			if now == before {
				continue
			}
			if lost[before] = e.at; v.process == "" {
				lost[before] = e.at.Add(leaves)
			}
			holders[v.cluster] = now
		// of what is on its way, it was the holder when it called
		case v.process == "" || v.process == holders[v.cluster] || v.made.Before(lost[v.process]):
		case programOf(v.process) == agents.name && slices.Contains(leaderWrites, v.kind()) &&
			!v.changesUses():
			wrong = append(wrong, fmt.Sprintf("%s: %s of %s, while the Lease is of %q", v.process,
				v.kind(), v.object().GetName(), holders[v.cluster]))
		}
	}
	return wrong
}

// thisVeryOne: an agent deletes what gives access, or ends it, by its UID: what was made anew under
// the name is another one.
func thisVeryOne(h history) (wrong []string) {
	for _, e := range h {
		c := e.call
		if c == nil || c.method != http.MethodDelete || !slices.ContainsFunc(append(access, "jobs"),
			func(resource string) bool { return strings.Contains(c.path+"/", "/"+resource+"/") }) {
			continue
		}
		var with metav1.DeleteOptions
		if err := json.Unmarshal(c.body, &with); err != nil || with.Preconditions == nil ||
			with.Preconditions.UID == nil || *with.Preconditions.UID == "" {
			wrong = append(wrong, fmt.Sprintf("%s deletes %s, whichever it is", c.process, c.path))
		}
	}
	return wrong
}

// noWords: what people write reaches no object but a record, no commit's message and no log.
func noWords(h history) (wrong []string) {
	for _, e := range h {
		where, text := "", ""
		switch {
		case e.log != nil:
			where, text = "a line of the log", e.log.text
		case e.push != nil:
			where, text = "commit "+e.push.tip, e.push.message
		case e.version != nil && e.version.New != nil && e.version.Resource != "configmaps":
			data, err := json.Marshal(e.version.New.Object)
			if err != nil {
				wrong = append(wrong, err.Error())
			}
			where, text = e.version.kind()+" of "+e.version.New.GetName(), string(data)
		}
		if strings.Contains(text, canary) {
			wrong = append(wrong, "the reason stands in "+where)
		}
	}
	return wrong
}
