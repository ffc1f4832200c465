package simulation

import "strings"

// copies is somebody who opens a pull request from a fork, with the head of one that asks for something: the
// merge of that is its merge too, as GitHub has it.
const copies = "head copied"

// copied is that, of what people asked for last.
var copied = []beside{{copies, 6000, true, func(w *world, _ *site, occasion string) func() {
	if len(w.asked) == 0 {
		return nil
	}
	r := w.asked[len(w.asked)-1]
	if r.number == 0 { // whoever asked broke off before there was a pull request
		return nil
	}
	of := w.pullOf(r)
	if of.State != "open" {
		return nil
	}
	branch := "eve:" + strings.ReplaceAll(occasion, " ", "-")
	if err := w.forge.SetBranch("eve", branch, of.Head.SHA); err != nil {
		w.note("people fail: %v", err)
		return nil
	}
	number, err := w.forge.Open("eve", branch, "The same")
	if err != nil {
		w.note("people fail: %v", err)
		return nil
	}
	w.note("people copy the head of #%d for #%d", r.number, number)
	w.hub.moved("people")
	return nil
}}}
