package simulation

import (
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/sync/kube"
)

// decidedOf is how long agents may take, of the time in which all answers, until they refuse what
// nobody approved: GitHub is given ten minutes to know of a pull request, which begin anew when it is
// asked and does not answer, once; and it is asked again every five minutes.
const decidedOf = 10*time.Minute + 10*time.Minute + 5*time.Minute

// undecided are when the agents of a cluster had not found out yet that nobody approved what a commit
// of main did to files that decide, but for no longer than the bound: until that nothing is granted.
// How far they are, they keep in the cluster; that can be lost, or be of a main that was set back.
func (h history) undecided(cluster string, troubles []span) (all []span) {
	line, head := "", ""
	var commits []string
	since := map[string]time.Time{}
	over := func(commit string, at time.Time) {
		from, to := since[commit], since[commit]
		for left := decidedOf; left > 0 && to.Before(at); {
			to = to.Add(left)
			left = decidedOf - to.Sub(from) + covered(troubles, toldAgain, from, to)
		}
		all = append(all, span{from, earlier(to, at)})
		delete(since, commit)
	}
	for _, e := range h {
		switch v := e.version; {
		case e.fact != nil && strings.HasPrefix(e.fact.what, unapproved):
			commits = append(commits, strings.TrimPrefix(e.fact.what, unapproved))
			continue
		case e.push != nil:
			line = e.push.line
		case v != nil && v.cluster == cluster && v.Resource == records && v.object().GetName() == kube.TrustName:
			if head = ""; v.New != nil {
				data, _ := v.New.Object["data"].(map[string]any)
				head, _ = data["head"].(string)
			}
		case e.end:
		default:
			continue
		}
		known := strings.Index(line, head)
		for _, commit := range commits {
			at := strings.Index(line, commit)
			_, waits := since[commit]
			switch waiting := at >= 0 && (head == "" || known < 0 || known > at) && !e.end; {
			case waiting && !waits:
				since[commit] = e.at
			case !waiting && waits:
				over(commit, e.at)
			}
		}
	}
	return all
}
