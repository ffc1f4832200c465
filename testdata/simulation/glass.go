package simulation

import (
	"fmt"
	"time"
)

// answerFor has somebody write, some time after access is over that broke the glass, what came of
// looking at that, bob perhaps approve it, and an administrator merge it whether he did or not. Often the
// glass is to be broken again before that, or soon after it.
func (w *world) answerFor(r *request, o occasion) error {
	if !w.inTurn && w.below(100, o.name+" again") < 50 {
		w.busy.Go(func() {
			time.Sleep(w.span(time.Minute, 2*r.length, o.name+" again when"))
			next := occasion{5000 + o.n, o.name + " again"}
			if err := w.propose(w.request(r.wish, next), next); err != nil {
				w.note("people fail: %v", err)
			}
			w.hub.moved("people")
		})
	}
	time.Sleep(r.length + w.span(2*time.Minute, 30*time.Minute, o.name+" answered when"))
	number, err := w.open(fmt.Sprint("answer-", o.n), map[string]string{
		"reviews/" + r.name + ".yaml": fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: BreakGlassReview
metadata: {name: %s}
spec:
  request: %[1]s
  verdict: Justified
  text: %s checkout is back
`, r.name, canary)})
	if err != nil {
		return err
	}
	if w.inTurn || w.below(100, o.name+" answer approved") < 85 {
		w.does(answers, r)
		if _, err := w.forge.Review("bob", number, "APPROVE"); err != nil {
			return err
		}
	}
	_, err = w.forge.Merge("root", number)
	w.hub.moved("people")
	return err
}
