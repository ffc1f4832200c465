package forge

import (
	"encoding/json"
	"strings"
	"time"
)

// Manners are what GitHub does and nowhere promises not to do (docs/github.md). The zero value is a
// GitHub that knows everything at once and for ever.
type Manners struct {
	AssociationLag time.Duration // until a merge shows in the pull requests of a commit
	MergedLag      time.Duration // until a merge shows in the list of those that were merged
	ActivityLag    time.Duration // until a push shows in the activity
	ListLag        time.Duration // until a pull request shows in the list of them

	// NoActivityByDeletedRef: the activity of a branch that is gone is not found by its name;
	// NoActivityOfDeletedRef: nor without.
	NoActivityByDeletedRef, NoActivityOfDeletedRef bool

	// IndirectAsHead: what is merged by the merge of another is told as merged as its own head.
	IndirectAsHead bool

	Rebase      bool // the repository setting "Allow rebase merging" is on
	Version2026 bool // answers as the REST version 2026-03-10 gives them
}

// Lagging are those that `make demo` shows.
func Lagging(by time.Duration) Manners {
	return Manners{AssociationLag: by, ActivityLag: by, ListLag: by, NoActivityByDeletedRef: true}
}

// SetManners has the forge behave otherwise from now on.
func (f *Forge) SetManners(m Manners) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.manners = m
}

// late tells whether something that happened does not show yet.
func (f *Forge) late(when time.Time, lag time.Duration) bool {
	return lag > 0 && when.Add(lag).After(f.opts.Now())
}

// forgotten tells whether the activity of a ref is not told.
func (f *Forge) forgotten(ref string, byName bool) bool {
	deaf := f.manners.NoActivityOfDeletedRef || byName && f.manners.NoActivityByDeletedRef
	return deaf && f.git.ref(ref) == ""
}

func (f *Forge) in2026() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.manners.Version2026
}

// in2026 takes away what the version 2026-03-10 no longer has, wherever it stands in an answer:
// https://docs.github.com/rest/about-the-rest-api/breaking-changes
func in2026(data []byte) []byte {
	var body any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if decoder.Decode(&body) != nil {
		return data
	}
	var strip func(any)
	strip = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				strip(item)
			}
		case object:
			delete(v, "merge_commit_sha")
			for _, item := range v {
				strip(item)
			}
		}
	}
	strip(body)
	stripped, err := json.Marshal(body)
	if err != nil {
		return data
	}
	return stripped
}
