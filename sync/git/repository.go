// Package git is the access repository as the agent and an audit read it: one branch in memory over
// git's smart HTTP, or the objects of a clone, with first-parent walks, commits that are pushed by
// compare-and-swap, and SSH signatures.
package git

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	gosync "sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// ErrNonFastForward says that the branch does not continue from the commit known last: its history
// was rewritten, or that commit is no longer on the branch's first-parent line (rule R44). The old
// tip stays the tip until a person has looked and Resume names another commit.
var ErrNonFastForward = errors.New("the branch does not continue from the last accepted commit")

// ErrTooLarge says that a blob is larger than the 1 MiB that Blob gives out.
var ErrTooLarge = errors.New("the file is larger than 1048576 bytes")

// MaxDepth bounds the commits between two tips; more is for a person to look at.
const MaxDepth = 16384

const (
	maxBlob         = 1 << 20         // bytes of one file; requests and policies have a few KiB
	exchangeTimeout = 2 * time.Minute // of one Fetch or Commit, however silent the server is
)

// Repository is the access repository as the agent sees it: one branch, in memory, from its last
// accepted commit on. There is no worktree, no index and nothing on disk, so names and links in the
// repository reach no filesystem. Methods may be called from several goroutines. Commits and blobs
// are named by their full hash in hex.
type Repository struct {
	remote *remote
	branch plumbing.ReferenceName
	limits limits
	random func(time.Duration) time.Duration // from 0 on, below what it is given

	listed []string // folders whose trees each tip has in memory; none: all
	read   []string // folders whose files it has; none: all

	op       chan struct{} // has an element while Fetch, Commit, Forget or Resume works; guards the next three
	resume   plumbing.Hash // where the first fetch starts; zero: at the tip
	rejected plumbing.Hash // the tip that is ErrNonFastForward, so that it is not fetched again at every poll
	why      error

	mu    gosync.RWMutex // guards the rest, never held while waiting for the network
	mode  *mode          // nil: the server was not asked yet. Only holders of op change it
	store *store
	tip   plumbing.Hash
	kept  int                    // objects in store after the last Forget
	large map[plumbing.Hash]bool // files of the tip that are too large. Only holders of op change it

	origins origins
	beside  map[string]beside // by path, folders of the tip that were looked into, of those not listed
}

// NewRepository prepares the branch of the repository at address: https, or http to loopback,
// without a credential in it. Nothing is sent yet. cred may be nil (anonymous); client may be nil
// (Go's default transport). Fetch and Commit end after two minutes, or earlier by their contexts.
// Redirects are not followed.
func NewRepository(address, branch string, cred Credential, client *http.Client) (*Repository,
	error) {
	m, err := newRemote(address, client, cred)
	if err != nil {
		return nil, err
	}
	ref := plumbing.NewBranchReferenceName(branch)
	if branch == "" || strings.ContainsFunc(branch, isControl) || ref.Validate() != nil {
		return nil, fmt.Errorf("branch %q is no branch name", clean(branch))
	}
	return &Repository{
		remote: m, branch: ref, store: newStore(), op: make(chan struct{}, 1), random: rand.N[time.Duration],
		limits: limitsOf(available()), large: map[plumbing.Hash]bool{}, beside: map[string]beside{},
	}, nil
}

// Narrow says what of each tip is to be in memory: the trees below the folders (or files) that are
// listed, and the files below those that are read. It is called before the first Fetch; without it,
// that is everything. What else is asked for is fetched then.
func (r *Repository) Narrow(listed, read []string) { r.listed, r.read = listed, read }

// Random has the pauses between tries of a Commit be drawn by draw, which returns a duration from 0
// on and below n. It is called before the first Commit; without it, Go's own random numbers decide.
func (r *Repository) Random(draw func(n time.Duration) time.Duration) { r.random = draw }

// Resume makes the next Fetch start at commit, the head accepted last by an earlier run or by a
// person, so that Commits(commit, tip) can tell what happened since. What is in memory is dropped.
func (r *Repository) Resume(commit string) error {
	if !plumbing.IsHash(commit) {
		return fmt.Errorf("resuming at %q: not a full commit hash", clean(commit))
	}
	r.op <- struct{}{}
	defer func() { <-r.op }()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resume, r.rejected, r.why = plumbing.NewHash(commit), plumbing.ZeroHash, nil
	r.empty()
	return nil
}

// empty drops what is in memory; mu must be held.
func (r *Repository) empty() {
	r.store, r.tip, r.kept = newStore(), plumbing.ZeroHash, 0
	r.large, r.beside = map[plumbing.Hash]bool{}, map[string]beside{}
	r.origins = origins{}
}

// Tip is the branch's last accepted commit, empty before the first Fetch that worked.
func (r *Repository) Tip() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.tip.IsZero() {
		return ""
	}
	return r.tip.String()
}

// Fetch asks the server for the branch and returns its tip. An unchanged tip costs one small
// request. The first time it takes the tip's tree alone, or everything from the commit given to
// Resume; later the commits since the last tip. A tip that does not continue from the last one is
// ErrNonFastForward; one that does not fit into memory is ErrLimit. On any error the old tip stays.
func (r *Repository) Fetch(ctx context.Context) (tip string, err error) {
	ctx, end, err := r.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	c, err := r.remote.open(ctx)
	if err != nil {
		return "", err
	}
	if err := r.fetch(ctx, c); err != nil {
		return "", err
	}
	return r.Tip(), nil
}

// begin waits until no other operation is under way, and bounds that and the new one.
func (r *Repository) begin(ctx context.Context) (bounded context.Context, end func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	select {
	case r.op <- struct{}{}:
		return ctx, func() { <-r.op; cancel() }, nil
	case <-ctx.Done():
		cancel()
		return nil, nil, fmt.Errorf("waiting for another operation on the branch: %w", ctx.Err())
	}
}

// fetch is Fetch with op held.
func (r *Repository) fetch(ctx context.Context, c *conn) error {
	if r.mode == nil {
		caps, err := c.capabilities(ctx)
		if err != nil {
			return err
		}
		m := mode{filter: caps.filter}
		if !caps.filter {
			m.whole = "the git server offers no filters"
		}
		r.ask(m)
	}
	for {
		tip, err := c.tip(ctx, r.branch)
		switch {
		case err != nil:
			return err
		case tip.IsZero():
			return fmt.Errorf("%s has no branch %s: push a first commit, or name another branch",
				c.url,
				r.branch.Short())
		case tip == r.tip:
			return nil
		case tip == r.rejected:
			return r.why
		}
		err = r.follow(ctx, c, tip)
		var less *lesser
		switch {
		case errors.As(err, &less) && r.mode.whole == "":
			r.ask(less.mode)
		case errors.Is(err, ErrLimit):
			return r.reject(tip, err)
		default:
			return err
		}
	}
}

// ask has the server asked in another way from now on. What is in memory may lack what that way
// takes to be there, so it begins anew at the last tip.
func (r *Repository) ask(m mode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = &m
	if !r.tip.IsZero() {
		r.resume = r.tip
		r.empty()
	}
}

// follow takes the new tip, and what is before it as far as it is not in memory.
func (r *Repository) follow(ctx context.Context, c *conn, tip plumbing.Hash) error {
	if r.tip.IsZero() {
		from := r.resume
		if from.IsZero() {
			from = tip
		}
		if err := r.clone(ctx, c, from, tip); err != nil {
			return err
		}
	}
	if r.tip == tip {
		return nil
	}
	return r.advance(ctx, c, tip)
}

// clone takes one commit and its tree into the empty store.
func (r *Repository) clone(ctx context.Context, c *conn, commit, tip plumbing.Hash) error {
	s, err := r.download(ctx, c, r.first(commit), 0)
	if err != nil && commit != tip && strings.Contains(err.Error(), "not our ref") {
		return r.reject(tip, fmt.Errorf("%w: %s is gone from the server",
			ErrNonFastForward, commit))
	}
	if err != nil {
		return err
	}
	if r.byID() {
		if err := r.tryIDs(ctx, c, s, commit); err != nil {
			return err
		}
		if len(r.listed) == 0 {
			got, err := r.download(ctx, c, r.newest(plumbing.ZeroHash, commit), s.size())
			if err != nil && !errors.Is(err, ErrLimit) {
				return err
			}
			if err == nil {
				s.take(got)
			}
		}
	}
	return r.accept(ctx, c, s, []plumbing.Hash{commit})
}

// Commits between two tips, by one question; more are asked for by another.
const fewCommits = 256

// advance takes what is between the tip and a new one. A shallow client must say how deep it wants
// to go, or a merge of an old branch brings the whole history before it. First comes the new tip
// with what is new in it, which mostly stands on the old one. Where it does not, commits alone come
// without what is before the old tip. Without objects by their ids commits come with their trees;
// then the client must say that it is shallow, or a server with reachability bitmaps leaves out
// files that were reverted to older content, and the depth grows in small steps, as a merge that is
// a few commits back may have brought too much.
func (r *Repository) advance(ctx context.Context, c *conn, tip plumbing.Hash) error {
	depths := []int{1, 2, 3, 4, 8, 32, 256, 2048, MaxDepth}
	if r.byID() {
		depths = []int{1, fewCommits, MaxDepth}
	}
	s := r.over()
	for _, depth := range depths {
		got, err := r.download(ctx, c, r.back(depth, tip), s.size())
		switch {
		case errors.Is(err, ErrLimit) && depth > 1:
			got = r.over()
			if problem := r.step(ctx, c, got, tip, MaxDepth); problem == nil {
				err = nil
			} else {
				err = errors.Join(err, problem)
			}
		case errors.Is(err, ErrLimit) && r.byID(): // its folders are asked for one by one
			got, err = r.download(ctx, c, r.first(tip), 0)
		}
		if err != nil {
			return err
		}
		if r.byID() {
			s.take(got)
		} else {
			s = got
		}
		line, whole, err := s.between(r.tip, tip, MaxDepth)
		if err != nil {
			return err
		}
		if line != nil {
			return r.accept(ctx, c, s, line)
		}
		if whole {
			break
		}
	}
	return r.reject(tip, fmt.Errorf("%w: %s was expected among the %d commits before %s",
		ErrNonFastForward, r.tip, MaxDepth, tip))
}

// step takes commits of the first-parent line into s, from one back to one that is in memory or to
// the first of all, at most as many as depth says: each by itself, so that what was merged with
// them does not come along.
func (r *Repository) step(ctx context.Context, c *conn, s *objects, from plumbing.Hash,
	depth int) error {
	for range depth {
		got, err := r.download(ctx, c, r.commits(r.tip, 1, from), s.size())
		if err != nil {
			return err
		}
		s.take(got)
		commit, err := s.commit(from)
		if err != nil || len(commit.Parents) == 0 {
			return err
		}
		from = plumbing.NewHash(commit.Parents[0])
		if s.below.HasEncodedObject(from) == nil {
			return nil
		}
	}
	return nil
}

func (r *Repository) reject(tip plumbing.Hash, why error) error {
	r.rejected, r.why = tip, why
	return why
}

// accept makes what was fetched part of the store and line[0], the newest commit, the tip, once all
// that is read of it is there.
func (r *Repository) accept(ctx context.Context, c *conn, s *objects, line []plumbing.Hash) error {
	large, err := r.fill(ctx, c, s, r.tip, line[0])
	if err != nil {
		return fmt.Errorf("checking commit %s from %s: %w", line[0], r.remote.url, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, commit := range line {
		if err := r.keep(s, commit, false); err != nil {
			return fmt.Errorf("keeping commit %s: %w", commit, err)
		}
	}
	for _, o := range s.Blobs { // a file may be new below a folder that is not
		hold(r.store, o)
	}
	for _, h := range large {
		r.large[h] = true
	}
	r.tip = line[0]
	if r.kept == 0 {
		r.kept = r.store.count()
	}
	return nil
}

// Forget drops from memory what only commits before the given one need; it and the commits after it
// stay. It does nothing before memory has grown to twice its size, so it can be called after every
// accepted tip.
func (r *Repository) Forget(before string) error {
	r.op <- struct{}{}
	defer func() { <-r.op }()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.store.count() < 2*r.kept {
		return nil
	}
	view := r.view()
	line, _, err := view.between(plumbing.NewHash(before), r.tip, MaxDepth)
	if err != nil {
		return err
	}
	if line == nil && r.tip != plumbing.NewHash(before) {
		return fmt.Errorf("forgetting what is before %s: %w", clean(before), ErrNotInMemory)
	}
	fresh := newStore()
	for _, commit := range append(line, plumbing.NewHash(before)) {
		if err := view.copyTo(fresh, commit); err != nil {
			return fmt.Errorf("forgetting what is before %s: %w", before, err)
		}
	}
	r.store, r.kept = fresh, fresh.count()
	return nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }
