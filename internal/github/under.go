package github

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/pullgrant/pullgrant/policies"
)

// Under gives the tree that stood before the merge of f with other versions of some files:
// instead holds their modes and git blobs by path, and the zero TreeFile for a file that is not
// to be there. f gets the answers that judging under it asks for.
func (c *Client) Under(
	ctx context.Context, f *policies.Facts, instead map[string]policies.TreeFile,
) (policies.Tree, error) {
	ctx = reads(ctx, c.byREST)
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
