package github

import (
	"context"
	"errors"
	"sync"

	"github.com/google/go-github/v60/github"
)

// maxTogether bounds how many calls a client has under way: GitHub takes a hundred from all who use
// a token
// (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits).
const maxTogether = 8

// together makes reads beside each other that need nothing of each other. The first that fails ends
// the others. Of several errors that of the first of reads is returned: what people are told is not by chance.
func together(ctx context.Context, reads ...func(context.Context) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var all sync.WaitGroup
	errs := make([]error, len(reads))
	for n, read := range reads {
		all.Go(func() {
			if errs[n] = read(ctx); errs[n] != nil && !everywhere(errs[n]) {
				fail(errs[n])
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) { // which the failure of another was
			return err
		}
	}
	return context.Cause(ctx)
}

// everywhere tells whether every call fails so for now: reads with that need nobody to end them.
func everywhere(err error) bool {
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	return errors.Is(err, errCalm) || errors.As(err, &limit) || errors.As(err, &abuse)
}

// gather reads one thing for each of some, as together does, and returns them in their order.
func gather[T, R any](ctx context.Context, of []T, read func(context.Context, T) (R, error)) ([]R,
	error) {
	all, reads := make([]R, len(of)), make([]func(context.Context) error, len(of))
	for n, one := range of {
		reads[n] = func(ctx context.Context) (err error) {
			all[n], err = read(ctx, one)
			return err
		}
	}
	return all, together(ctx, reads...)
}

// inOrder makes one read of several, each of which needs what those before it read.
func inOrder(reads ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, read := range reads {
			if err := read(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}
