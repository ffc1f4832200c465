package sync

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/pullgrant/pullgrant/testdata/scene"
)

// cut makes one call fail before it is sent: the nth of those that count. When deadly, all later
// calls fail too: the process is dead. That covers death after a call as well, as being before the
// next one.
type cut struct {
	left   atomic.Int32
	deadly bool
	writes bool // only calls that change something count
}

func newCut(nth int32, deadly, writes bool) *cut {
	f := &cut{deadly: deadly, writes: writes}
	f.left.Store(nth)
	return f
}

// struck tells whether the call to fail was made.
func (f *cut) struck() bool { return f.left.Load() <= 0 }

// spare has no further call fail, and tells whether one did.
func (f *cut) spare() bool { return f.left.Swap(1<<30) <= 0 }

var errCut = errors.New("the line is cut")

func (f *cut) wrap(next http.RoundTripper) http.RoundTripper {
	return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/events") {
			return next.RoundTrip(r) // sent beside the work, at no time that can be counted on
		}
		reads := r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/git-upload-pack") ||
			strings.HasSuffix(r.URL.Path, "/selfsubjectrulesreviews") ||
			r.URL.Query().Get("dryRun") != ""
		left := f.left.Load()
		if !f.writes || !reads {
			left = f.left.Add(-1)
		}
		if left == 0 || left < 0 && f.deadly {
			if r.Body != nil {
				r.Body.Close()
			}
			return nil, errCut
		}
		return next.RoundTrip(r)
	})
}
