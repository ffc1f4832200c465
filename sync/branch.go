package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// branch is the access repository's branch as the agent goes along it, from the head that was
// accepted last.
type branch struct {
	repository *git.Repository
	cluster    *kube.Cluster
	log        *slog.Logger

	resumed  bool   // the accepted head of earlier runs was read
	accepted string // the head that the Lease has
	reported string // the tip whose problems were logged
}

// restart has the accepted head read anew: another replica may have moved it.
func (b *branch) restart() { b.resumed, b.accepted = false, "" }

// fetch brings the branch up to date. The first time it goes on from the head that an earlier run
// accepted, and after the branch was rewritten from the one that a person notes there.
func (b *branch) fetch(ctx context.Context) (*plan.Main, error) {
	if !b.resumed {
		if err := b.resume(ctx); err != nil {
			return nil, err
		}
		b.resumed = true
	}
	_, err := b.repository.Fetch(ctx)
	if errors.Is(err, git.ErrNonFastForward) {
		if err := b.resume(ctx); err != nil {
			return nil, err
		}
		_, err = b.repository.Fetch(ctx)
	}
	if errors.Is(err, git.ErrNonFastForward) {
		return nil, fmt.Errorf(
			"%w; look at what happened to it, then accept a commit that is on it now: "+
				"kubectl -n %s annotate --overwrite lease %s %s=COMMIT", err, kube.Namespace,
			kube.LeaseName, kube.AnnotationHead)
	}
	if err != nil {
		return nil, err
	}
	return b.current(&plan.Main{})
}

// resume has the repository go on from the head on the Lease when that is not the one noted last.
func (b *branch) resume(ctx context.Context) error {
	notes, err := b.cluster.Notes(ctx)
	head := notes[kube.AnnotationHead]
	if err != nil || head == "" || head == b.accepted {
		return err
	}
	if err := b.repository.Resume(head); err != nil {
		return fmt.Errorf("the accepted head on Lease %s/%s: %w", kube.Namespace,
			kube.LeaseName, err)
	}
	b.accepted = head
	return nil
}

// current reads the branch in memory again when it moved, as it does with every commit of the
// agent's own.
func (b *branch) current(main *plan.Main) (*plan.Main, error) {
	tip := b.repository.Tip()
	if main == nil || main.Tip == tip {
		return main, nil
	}
	main, problems, err := b.read(tip)
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
	b.accepted = tip
	return b.repository.Forget(tip)
}

// read reads the tip's requests of this cluster and the names in use. problems are files that stand
// where a request of this cluster would and are none: they are left alone and grant nothing.
func (b *branch) read(tip string) (main *plan.Main, problems []string, err error) {
	entries, err := b.repository.Entries(tip, requests.Folder, requests.RevocationsFolder)
	if err != nil {
		return nil, nil, err
	}
	main = &plan.Main{Tip: tip, Requests: map[string]string{}, Names: map[string][]string{}}
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
	return main, problems, nil
}

// nameOf is the name of a file without its folder and ending: of a request's, the request's.
func nameOf(file string) string { return strings.TrimSuffix(path.Base(file), ".yaml") }

// file reads a plain file of a commit; nil when there is none.
func (b *branch) file(commit, path string) ([]byte, error) {
	entries, err := b.repository.Entries(commit, path)
	at := slices.IndexFunc(entries,
		func(e git.Entry) bool { return e.Path == path && e.Fault == "" })
	if err != nil || at < 0 {
		return nil, err
	}
	return b.repository.Blob(entries[at].Hash)
}

// tree reads what a request at file is judged by.
func (b *branch) tree(tip, file string) (policies.Tree, error) {
	tree := policies.Tree{Commit: tip, Files: map[string]policies.TreeFile{}}
	folders := append([]string{policies.Folder, rbac.CatalogFolder},
		codeowners.Paths...)
	entries, err := b.repository.Entries(tip, folders...)
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
			data, err = b.repository.Blob(e.Hash)
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
