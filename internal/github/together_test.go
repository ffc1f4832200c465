package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestTogetherFails: of several reads that fail the error of the first of them is told, whichever came first,
// and never that another failed meanwhile.
func TestTogetherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that what comes a millisecond later does
		one, two, ended := errors.New("one"), errors.New("two"), make(chan struct{})
		failed := func(err error) func(context.Context) error {
			return func(context.Context) error { return err }
		}
		for name, test := range map[string]struct {
			reads []func(context.Context) error
			want  error
		}{
			"the second fails first": {[]func(context.Context) error{func(ctx context.Context) error {
				<-ctx.Done()
				return one
			}, failed(two)}, one},
			"the first is ended by the second": {[]func(context.Context) error{func(ctx context.Context) error {
				<-ctx.Done()
				close(ended)
				return fmt.Errorf("read: %w", ctx.Err())
			}, func(ctx context.Context) error { return two }}, two},
			"both fail as every call does now": {[]func(context.Context) error{func(ctx context.Context) error {
				time.Sleep(time.Millisecond)
				return cmp.Or(ctx.Err(), one)
			}, failed(fmt.Errorf("read: %w", errCalm))}, one},
			"none fails": {[]func(context.Context) error{failed(nil), failed(nil)}, nil},
		} {
			if err := together(t.Context(), test.reads...); !errors.Is(err, test.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		<-ended
		over, cancel := context.WithCancelCause(t.Context())
		cancel(two)
		if err := together(over, func(ctx context.Context) error { return ctx.Err() }); !errors.Is(err, two) {
			t.Errorf("its context was over: %v", err)
		}
	})
}

// TestQuietEndsWithTheTime: whose time ends when GitHub may be called again has none to call it in, and is
// told so at once.
func TestQuietEndsWithTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, more := range []time.Duration{0, 1} {
			wire := newTransport(nil, nil)
			wire.rest(time.Minute)
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute+more)
			err := wire.quiet(ctx)
			cancel()
			if waited := time.Since(begin) > 0; waited != (more > 0) || errors.Is(err, errCalm) == waited {
				t.Errorf("with %s more: %v after %s", more, err, time.Since(begin))
			}
			time.Sleep(time.Minute) // until nothing of it goes on
		}
	})
}
