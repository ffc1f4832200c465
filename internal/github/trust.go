package github

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
)

// MergedAs finds the pull request that was merged into the default branch as exactly this commit; 0 when there is none,
// so it was pushed directly. When GitHub tells of several, the oldest is returned: its facts are refused (R46).
func (c *Client) MergedAs(ctx context.Context, commit string) (number int, err error) {
	repository, _, err := c.repository(ctx)
	if err != nil {
		return 0, err
	}
	pulls, err := c.pullsOf(ctx, commit)
	if err != nil {
		return 0, err
	}
	for _, p := range pulls {
		if p.mergedInto(repository) && p.mergeAt == commit && (number == 0 || p.number < number) {
			number = p.number
		}
	}
	return number, nil
}

// Under gives the tree that stood before the merge of f with other versions of some files: instead holds their modes and
// git blobs by path, and the zero TreeFile for a file that is not to be there. f gets the answers that judging under it
// asks for.
func (c *Client) Under(ctx context.Context, f *policies.Facts, instead map[string]policies.TreeFile) (policies.Tree, error) {
	tree := f.Merge.FirstParent
	tree.Files = maps.Clone(tree.Files)
	for _, path := range slices.Sorted(maps.Keys(instead)) {
		file := instead[path]
		delete(tree.Files, path)
		if file.Blob == "" {
			continue
		}
		var data []byte
		if file.Mode == policies.PlainFile {
			var err error
			if data, err = c.blob(ctx, file.Blob); err != nil {
				return tree, fmt.Errorf("read %s as it was proven last: %w", path, err)
			}
		}
		tree.Files[path] = policies.NewTreeFile(file.Mode, file.Blob, data, int64(len(data)))
	}
	return tree, c.answer(ctx, f, policies.Questions(tree, *f))
}

// Skew is how much GitHub's clock was ahead of the own one at its last answer, from the Date header; known is false
// before the first (R54). The header counts whole seconds.
func (c *Client) Skew() (ahead time.Duration, known bool) { return c.wire.skewed() }

// ReadClock has GitHub answer anything, so that Skew is of now.
func (c *Client) ReadClock(ctx context.Context) error {
	_, _, err := c.repository(ctx)
	return err
}
