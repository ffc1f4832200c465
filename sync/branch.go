package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// branch is the access repository's branch as the agent goes along it, from the head that was
// accepted last.
type branch struct {
	repository *git.Repository
	cluster    *kube.Cluster
	metrics    *monitor.Metrics
	log        *slog.Logger
	signer     *git.Signer // of the agent's commits; nil: they are unsigned
	latest     *latest     // looks at it once more, for what is about to give access

	resumed  bool   // it was fetched on from the accepted head of earlier runs
	accepted string // the head that the Lease has
	seen     string // the commit after it that the Lease has, which an agent went on to
	lacks    string // that commit, until the branch is found to continue from it
	reported string // the tip whose problems were logged
	whole    string // why whole commits are fetched, as it was told last

	lookedUp map[string]bool // names that were looked for in the ledger of the tip that was read last
}

// trustRoots are the folders and files that decide over requests.
var trustRoots = append([]string{policies.Folder, rbac.CatalogFolder}, codeowners.Paths...)

// newBranch has of the repository in memory what is read of it. The ledger is not: it grows for
// years, and is looked into for single names.
func newBranch(c Config, cluster *kube.Cluster, metrics *monitor.Metrics) *branch {
	c.Repository.Narrow(append([]string{requests.Folder}, trustRoots...),
		append([]string{requests.Folder + "/" + c.Cluster}, trustRoots...))
	return &branch{repository: c.Repository, cluster: cluster, metrics: metrics, log: c.Logger,
		signer: c.Signer, latest: newLatest(c.Repository)}
}

// restart has the accepted head read anew: another replica may have moved it.
func (b *branch) restart() { b.resumed, b.accepted, b.seen, b.lacks = false, "", "", "" }

// fetch brings the branch up to date. Until that works it goes on from the head on the Lease, which an
// earlier run accepted or a person noted meanwhile, and after the branch was rewritten, or has what
// there is no memory for, from the one that a person notes there. A tip that there is no memory for is
// an error beside the branch as it was before.
func (b *branch) fetch(ctx context.Context) (*plan.Main, error) {
	if !b.resumed {
		if err := b.resume(ctx); err != nil {
			return nil, err
		}
	}
	err := b.follow(ctx)
	if needsPerson(err) {
		if err := b.resume(ctx); err != nil {
			return nil, err
		}
		err = b.follow(ctx)
	}
	b.resumed = b.resumed || err == nil
	b.tellWhole()
	if needsPerson(err) {
		err = fmt.Errorf("%w; look at what happened to it, then accept a commit that is on it now: "+
			"kubectl -n %s annotate --overwrite lease %s %s=COMMIT %s-", err, kube.Namespace,
			kube.LeaseName, kube.AnnotationHead, kube.AnnotationSeen)
	}
	if err != nil && (!errors.Is(err, git.ErrLimit) || b.repository.Tip() == "") {
		return nil, err
	}
	main, readErr := b.current(ctx, &plan.Main{})
	return main, errors.Join(err, readErr)
}

// follow fetches what is new. A branch that continues from the accepted head, and not from the commit that
// an agent went on to since, was rewritten as well.
func (b *branch) follow(ctx context.Context) error {
	tip, err := b.repository.Fetch(ctx)
	if err != nil || b.lacks == "" {
		return err
	}
	switch _, err := b.repository.Reach(ctx, tip, b.lacks); {
	case errors.Is(err, git.ErrNotOnLine):
		return fmt.Errorf("%w: %s was there before %s", git.ErrNonFastForward, b.lacks, tip)
	case err != nil:
		return err
	}
	b.lacks = ""
	return nil
}

// needsPerson tells whether the branch may stay where it is until a person has it go on.
func needsPerson(err error) bool {
	return errors.Is(err, git.ErrNonFastForward) || errors.Is(err, git.ErrLimit)
}

// tellWhole tells when the git server can be asked for whole commits only.
func (b *branch) tellWhole() {
	whole := b.repository.Whole()
	if whole != b.whole && whole != "" {
		b.log.Warn("whole commits are fetched, with files that nobody reads", "event", "fetch",
			"cluster", b.cluster.Name, "problem", whole)
	}
	b.whole = whole
	b.metrics.Whole(whole)
}

// resume has the repository go on from the head on the Lease when that, or what was seen after it, is not
// what was noted last.
func (b *branch) resume(ctx context.Context) error {
	notes, err := b.cluster.Notes(ctx)
	head, seen := notes[kube.AnnotationHead], kube.GoneOnTo(notes)
	if err != nil || head == "" || head == b.accepted && seen == b.seen {
		return err
	}
	if err := b.repository.Resume(head); err != nil {
		return fmt.Errorf("the accepted head on Lease %s/%s: %w", kube.Namespace,
			kube.LeaseName, err)
	}
	b.accepted, b.seen, b.lacks = head, seen, seen
	return nil
}

// current reads the branch in memory again when it moved, as it does with every commit of the
// agent's own.
func (b *branch) current(ctx context.Context, main *plan.Main) (*plan.Main, error) {
	tip := b.repository.Tip()
	if main == nil || main.Tip == tip {
		return main, nil
	}
	main, problems, err := b.read(ctx, tip)
	if err != nil {
		return nil, err
	}
	if b.reported != tip {
		for _, problem := range problems {
			b.log.Warn("left alone, and grants nothing", "event", "read", "cluster", b.cluster.Name,
				"commit", tip, "problem", problem)
		}
		b.reported = tip
	}
	return main, nil
}

// accept notes the tip as the head that the next run goes on from, and forgets what is before it.
func (b *branch) accept(ctx context.Context, tip string) error {
	if tip == b.accepted {
		return nil
	}
	if err := b.cluster.Note(ctx, kube.AnnotationHead, tip); err != nil {
		return err
	}
	b.accepted, b.seen = tip, ""
	return b.repository.Forget(tip)
}

// see notes a tip that is not accepted yet, so that the next run knows of it too should the branch lose it.
func (b *branch) see(ctx context.Context, tip string) error {
	if b.accepted == "" || tip == b.accepted || tip == b.seen {
		return nil
	}
	if err := b.cluster.Note(ctx, kube.AnnotationSeen, b.accepted+".."+tip); err != nil {
		return err
	}
	b.seen = tip
	return nil
}

// read reads the tip's requests of this cluster and the names that requests have. problems are files
// that stand where a request of this cluster would and are none: they are left alone and grant
// nothing.
func (b *branch) read(ctx context.Context, tip string) (main *plan.Main, problems []string,
	err error) {
	entries, err := b.repository.Entries(ctx, tip, requests.Folder)
	if err != nil {
		return nil, nil, err
	}
	main = &plan.Main{Tip: tip, Requests: map[string]string{}, Names: map[string][]string{},
		First: map[string]string{}}
	b.lookedUp = map[string]bool{}
	folder := requests.Folder + "/" + b.cluster.Name + "/"
	for _, e := range entries {
		name := nameOf(e.Path)
		main.Names[name] = append(main.Names[name], e.Path)
		place, ok := requests.SplitPath(e.Path)
		switch {
		case !strings.HasPrefix(e.Path, folder):
		case e.Fault != "":
			problems = append(problems, fmt.Sprintf("%s is %s; a request is a plain file",
				requests.Quote(e.Path), e.Fault))
		case !ok || place.Cluster != b.cluster.Name:
			problems = append(problems,
				fmt.Sprintf("%s is not requests/<cluster>/<policy>/<yyyymmdd>-<requester>-<slug>.yaml",
					requests.Quote(e.Path)))
		default:
			main.Requests[e.Path] = e.Hash
		}
	}
	for _, name := range slices.Sorted(maps.Keys(main.Names)) {
		paths := main.Names[name]
		if len(paths) < 2 {
			continue
		}
		if first, err := b.first(ctx, tip, paths); err == nil {
			main.First[name] = first
		} else {
			problems = append(problems, fmt.Sprintf("which request had the name %s first is not "+
				"known: %v", requests.Quote(name), err))
		}
	}
	return main, problems, nil
}

// lookUp adds to the names in use the ledger entries of some names, in whatever cluster (G4). One
// that was looked up on this tip is not looked up again.
func (b *branch) lookUp(ctx context.Context, main *plan.Main, names ...string) error {
	var paths []string
	for _, name := range names {
		if !b.lookedUp[name] {
			paths = append(paths, requests.RevocationPath("*", name))
		}
	}
	if len(paths) == 0 {
		return nil
	}
	found, err := b.repository.Find(ctx, main.Tip, paths...)
	if err != nil {
		return fmt.Errorf("looking for names in the ledger: %w", err)
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if !found[path].IsFolder() {
			main.Names[nameOf(path)] = append(main.Names[nameOf(path)], path)
		}
	}
	for _, name := range names {
		b.lookedUp[name] = true
	}
	return nil
}

// namesIn are the names that a plan asks for: of this cluster's requests and of its records.
func namesIn(main *plan.Main, records []plan.Record) (names []string) {
	for path := range main.Requests {
		names = append(names, nameOf(path))
	}
	for _, r := range records {
		names = append(names, r.Grant.Name)
	}
	return names
}

// first is which of several requests the branch's first-parent line had before the others, whatever
// the commits are dated (R49); empty when that is no single one.
func (b *branch) first(ctx context.Context, tip string, paths []string) (string, error) {
	first, most := "", -1 // most: how many commits came after the one that brought it
	for _, path := range paths {
		if _, asked := requests.SplitPath(path); !asked {
			continue // no request has the name by that
		}
		added, err := b.repository.Added(ctx, tip, path, time.Time{})
		if err != nil {
			return "", err
		}
		after, err := b.repository.After(ctx, tip, added.Hash)
		if err != nil {
			return "", err
		}
		switch {
		case len(after) == most:
			first = ""
		case len(after) > most:
			first, most = path, len(after)
		}
	}
	return first, nil
}

// change is one of the agent's, without what it changes.
func (b *branch) change(at time.Time) git.Change {
	person := git.Person{Name: "pullgrant", Email: "pullgrant@" + b.cluster.Name + ".invalid"}
	return git.Change{Author: person, Committer: person, When: at, Sign: b.signer}
}

// nameOf is the name of a file without its folder and ending: of a request's, the request's.
func nameOf(file string) string { return strings.TrimSuffix(path.Base(file), ".yaml") }

// file reads a plain file of a commit; nil when there is none.
func (b *branch) file(ctx context.Context, commit, path string) ([]byte, error) {
	found, err := b.repository.Find(ctx, commit, path)
	if e := found[path]; err == nil && e.Path != "" && e.Fault == "" {
		return b.repository.Blob(ctx, e.Hash)
	}
	return nil, err
}

// tree reads what a request at file is judged by.
func (b *branch) tree(ctx context.Context, tip, file string) (policies.Tree, error) {
	tree := policies.Tree{Commit: tip, Files: map[string]policies.TreeFile{}}
	entries, err := b.repository.Entries(ctx, tip, trustRoots...)
	if err != nil {
		return tree, err
	}
	wanted := policies.Wanted(policies.KindRequest, file)
	for _, e := range entries {
		if !wanted(e.Path) {
			continue
		}
		var data []byte
		size := int64(0)
		if e.Fault == "" {
			data, err = b.repository.Blob(ctx, e.Hash)
			if errors.Is(err, git.ErrTooLarge) {
				size = policies.MaxFileSize + 1
			} else if err != nil {
				return tree, err
			} else {
				size = int64(len(data))
			}
		}
		tree.Files[e.Path] = policies.NewTreeFile(e.Mode, e.Hash, data, size)
	}
	return tree, nil
}
