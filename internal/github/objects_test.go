package github

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnObjectIsAskedForOnce(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.facts(n)
	before := len(w.Requests())
	w.facts(n)
	for _, r := range w.Requests()[before:] {
		if strings.Contains(r.Path, "/git/blobs/") || strings.Contains(r.Path, "/git/trees/") ||
			strings.Contains(r.Path, "/git/commits/") {
			t.Errorf("%s again", r.Path)
		}
	}
}

func TestTheMemoryOfObjectsIsBounded(t *testing.T) {
	var o objects
	for i := range 10 {
		value, err := remembered(t.Context(), &o, fmt.Sprint(i), func() (int, int, error) {
			return i,
				maxObjects / 4, nil
		})
		if err != nil || value != i || o.size > maxObjects || len(o.values) > 4 {
			t.Fatalf("value %d, error %v, %d objects of %d bytes", value, err,
				len(o.values), o.size)
		}
	}
}

// TestSharedErrorOfAnObject: who waits for another's reading of an object has its error, but reads
// it anew where the other one gave up.
func TestSharedErrorOfAnObject(t *testing.T) {
	for what, test := range map[string]struct {
		gaveUp bool
		loads  int32
	}{"GitHub said no": {false, 1}, "the first gave up": {true, 2}} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var o objects
				var loads atomic.Int32
				read := func(ctx context.Context) error {
					_, err := remembered(ctx, &o, "x", func() (int, int, error) {
						if loads.Add(1) > 1 {
							return 1, 1, nil
						}
						time.Sleep(time.Second)
						return 0, 0, errors.New("no")
					})
					return err
				}
				first, giveUp := context.WithCancel(t.Context())
				defer giveUp()
				go func() { _ = read(first) }()
				synctest.Wait()
				if test.gaveUp {
					giveUp()
				}
				if err := read(t.Context()); (err == nil) != test.gaveUp || loads.Load() != test.loads {
					t.Errorf("error %v after %d readings", err, loads.Load())
				}
			})
		})
	}
}

// TestWhoWaitsForAnObjectSaysForWhich: whose time ends while another reads an object says what it wanted, as
// the other does.
func TestWhoWaitsForAnObjectSaysForWhich(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o objects
		read := func(ctx context.Context) error {
			_, err := remembered(ctx, &o, "x", func() (int, int, error) {
				<-ctx.Done()
				return 0, 0, fmt.Errorf("read the object x: %w", ctx.Err())
			})
			return err
		}
		go func() { _ = read(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := read(ctx); err == nil || err.Error() != "read the object x: context deadline exceeded" {
			t.Error(err)
		}
	})
}
