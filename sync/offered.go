package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// offers is what the policies give as the branch has them at the commit that was looked at last, in
// order.
func (v *prover) offers(ctx context.Context) (items []requests.Item, err error) {
	t := v.trust
	if t.offering == t.head {
		return t.offers, nil
	}
	tree := policies.Tree{Files: map[string]policies.TreeFile{}}
	for _, path := range slices.Sorted(maps.Keys(t.files)) {
		if err := v.read(ctx, tree, path, t.files[path][0]); err != nil {
			return nil, err
		}
	}
	for path := range t.files {
		if isPolicy(path) {
			items = append(items, tree.Offered(path, v.cluster.Name)...)
		}
	}
	slices.SortFunc(items, compareItems)
	t.offering, t.offers = t.head, slices.CompactFunc(items, requests.Item.Equal)
	return t.offers, nil
}

func isPolicy(path string) bool { return strings.HasPrefix(path, policies.Folder+"/") }

// decidesOffers tells which files say what policies give on a cluster: they and its catalogue.
func decidesOffers(path, cluster string) bool {
	return isPolicy(path) || isCatalogue(path, cluster)
}

func isCatalogue(path, cluster string) bool {
	return strings.HasPrefix(path, rbac.CatalogFolder+"/"+cluster+"/")
}

// read adds one version of a file to a tree, if it decides what policies give.
func (v *prover) read(ctx context.Context, tree policies.Tree, path string, of version) error {
	if of.Blob == "" || !decidesOffers(path, v.cluster.Name) {
		return nil
	}
	content, err := v.branch.repository.Blob(ctx, of.Blob)
	if errors.Is(err, git.ErrTooLarge) {
		return nil // it is neither
	}
	if err != nil {
		return fmt.Errorf("reading %s of commit %s: %w", requests.Quote(path), of.Commit, err)
	}
	tree.Files[path] = policies.NewTreeFile(policies.PlainFile, "", content, int64(len(content)))
	return nil
}

// keepOffers notes what versions that are proven give, under each version of the catalogue that is.
// What the catalogue says of a role concerns all policies, so a new file of it has all looked at.
func (v *prover) keepOffers(ctx context.Context, files map[string][]version) error {
	isCatalogue := func(path string) bool { return isCatalogue(path, v.cluster.Name) }
	if slices.ContainsFunc(slices.Collect(maps.Keys(files)), isCatalogue) {
		files = v.trust.files
	}
	offered := slices.Clone(v.trust.offered)
	for _, catalogue := range v.catalogues() {
		tree := policies.Tree{Files: map[string]policies.TreeFile{}}
		for _, path := range slices.Sorted(maps.Keys(catalogue)) {
			if err := v.read(ctx, tree, path, catalogue[path]); err != nil {
				return err
			}
		}
		for _, path := range slices.Sorted(maps.Keys(files)) {
			for _, one := range files[path] {
				if !one.proven() || !isPolicy(path) {
					continue
				}
				with := policies.Tree{Files: maps.Clone(tree.Files)}
				if err := v.read(ctx, with, path, one); err != nil {
					return err
				}
				offered = append(offered, with.Offered(path, v.cluster.Name)...)
			}
		}
	}
	slices.SortFunc(offered, compareItems)
	v.trust.offered = slices.CompactFunc(offered, requests.Item.Equal)
	if v.trust.offered == nil {
		v.trust.offered = []requests.Item{}
	}
	return nil
}

// catalogues are the files of the cluster's catalogue as they are proven, the newest of each first,
// then the second ones, and so on.
func (v *prover) catalogues() (all []map[string]version) {
	for n := range maxVersions {
		catalogue, more := map[string]version{}, n == 0
		for path, versions := range v.trust.files {
			proven := slices.DeleteFunc(slices.Clone(versions),
				func(o version) bool { return !o.proven() })
			if !isCatalogue(path, v.cluster.Name) || len(proven) == 0 {
				continue
			}
			more = more || n < len(proven)
			catalogue[path] = proven[min(n, len(proven)-1)]
		}
		if !more {
			break
		}
		all = append(all, catalogue)
	}
	return all
}

func compareItems(a, b requests.Item) int {
	text := func(i requests.Item) string {
		data, _ := json.Marshal(i) // texts always encode
		return string(data)
	}
	return strings.Compare(text(a), text(b))
}
