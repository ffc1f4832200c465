package github

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// readCounts reads what the limits of a request's policy count: the policy's requests, and of the
// ledger the days that can matter, by their names. Of a merged request only what was merged before
// it counts (R80).
func (c *Client) readCounts(ctx context.Context, f *policies.Facts, _ snapshot) error {
	_, asked, _ := policies.KindOf(f.Files)
	trees := []policies.Tree{f.Base}
	at := f.ObservedAt.Time
	if f.Merge != nil {
		trees, at = append(trees, f.Merge.FirstParent), f.PullRequest.MergedAt.Time
	}
	counting := policies.CountingOf(asked, []byte(f.Head.Files[asked].Content), at, trees...)
	if counting == nil {
		return nil
	}
	files, err := c.toCount(ctx, f, counting)
	if err != nil {
		return err
	}
	for _, one := range files {
		if err := c.count(ctx, f, counting, one); err != nil {
			return err
		}
	}
	f.Counts = counting.Counts()
	return nil
}

// count counts one file.
func (c *Client) count(ctx context.Context, f *policies.Facts, counting *policies.Counting,
	one countedFile) error {
	if _, live := requests.SplitPath(one.path); !live {
		entered, err := remembered(ctx, &c.objects, "entered "+one.path+" "+one.name,
			func() (policies.Entered, int, error) {
				file, err := c.file(ctx, one.entry)
				return policies.ReadEntered(one.path, []byte(file.Content)), 500, err
			})
		if err != nil {
			return err
		}
		return counting.Enter(entered, one.before)
	}
	change, err := c.changed(ctx, f, one.path, f.Base.Commit)
	if err != nil {
		return err
	}
	var merged requests.Time
	if change.MergedAt != nil {
		merged = *change.MergedAt
	}
	file, err := c.file(ctx, one.entry)
	if err != nil {
		return err
	}
	return counting.Add(one.path, []byte(file.Content), merged.Time)
}

type countedFile struct {
	path string
	entry
	before bool // the branch had it, or what it is of, before the merge
}

// toCount lists the files that are to be opened, and reads them at once.
func (c *Client) toCount(ctx context.Context, f *policies.Facts, counting *policies.Counting) (
	files []countedFile, err error) {
	folders := []string{counting.Requests()}
	if ledger := counting.Ledger(); ledger != "" {
		days, err := c.folderAt(ctx, f.Base.Commit, ledger)
		if err != nil {
			return nil, err
		}
		for day, e := range days {
			if e.kind == "tree" && counting.Lists(day) {
				folders = append(folders, path.Join(ledger, day))
			}
		}
	}
	slices.Sort(folders)
	var names []string
	for _, folder := range folders {
		found, err := c.folderAt(ctx, f.Base.Commit, folder)
		if err != nil {
			return nil, err
		}
		for _, base := range slices.Sorted(maps.Keys(found)) {
			e := found[base]
			one := countedFile{path: path.Join(folder, base), entry: e}
			if e.kind != "blob" || e.mode != policies.PlainFile || !counting.Opens(one.path) {
				continue
			}
			if one.before, err = c.mergedBefore(ctx, f, counting.Places(one.path)); err != nil {
				return nil, err
			}
			if _, live := requests.SplitPath(one.path); one.before || !live {
				files, names = append(files, one), append(names, e.name)
			}
		}
	}
	slices.SortFunc(files, func(a, b countedFile) int { return strings.Compare(a.path, b.path) })
	if len(files) > policies.MaxCounted { // Add says what to do
		return files[:policies.MaxCounted+1], nil
	}
	return files, c.readAll(ctx, names)
}

// folderAt is what a commit has in a folder; nothing when there is none.
func (c *Client) folderAt(ctx context.Context, commit, name string) (map[string]entry, error) {
	e, ok, err := c.entry(ctx, commit, name)
	if err != nil || !ok || e.kind != "tree" {
		return nil, err
	}
	return c.folder(ctx, e.name)
}

// HadName tells whether a commit has a request or its ledger entry.
func (c *Client) HadName(ctx context.Context, commit string, place requests.Place) (bool, error) {
	return c.hasOneOf(ctx, commit, []string{
		requests.Path(place.Cluster, place.Policy, place.Name),
		requests.RevocationPath(place.Cluster, place.Name)})
}

// HadEntry tells whether a commit has the ledger entry of a name.
func (c *Client) HadEntry(ctx context.Context, commit, cluster, name string) (bool, error) {
	e, _, err := c.entry(ctx, commit, requests.RevocationPath(cluster, name))
	return e.kind == "blob", err
}

func (c *Client) hasOneOf(ctx context.Context, commit string, places []string) (bool, error) {
	for _, place := range places {
		_, ok, err := c.entry(ctx, commit, place)
		if err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// mergedBefore tells whether a request was on the branch, or in the ledger, before the merge of f.
func (c *Client) mergedBefore(ctx context.Context, f *policies.Facts, places []string) (bool,
	error) {
	if f.Merge == nil {
		return true, nil
	}
	return c.hasOneOf(ctx, f.Merge.FirstParent.Commit, places)
}
