package main

import (
	"context"
	"errors"
	"slices"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// risks says what is risky about what a request would give, each once.
func (r *report) risks(d policies.Decision) {
	var said []string
	for _, view := range d.Roles {
		for _, risk := range view.Risks {
			text := "Risk          " + risk.Text
			if risk.High {
				text = "HIGH RISK     " + risk.Text
			}
			if !slices.Contains(said, text) {
				said = append(said, text)
				r.text("%s", text)
			}
		}
	}
}

// agreed asks once, where a person can answer, before anything is pushed.
func (o requestOptions) agreed(ctx context.Context, w world, g requests.Grant) (bool, error) {
	if o.breakGlass {
		o.warn(w, g)
	}
	if o.yes || o.terminal == nil {
		return true, nil
	}
	var yes bool
	var err error
	if o.breakGlass {
		yes, err = o.meansIt(ctx)
	} else {
		yes, err = o.terminal.confirm(ctx, "Open the pull request?")
	}
	switch {
	case err != nil && !errors.Is(err, errStopped):
		return false, err
	case err != nil || !yes:
		w.say("nothing was opened")
		return false, nil
	}
	return true, nil
}
