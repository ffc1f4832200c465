package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
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
	for path, all := range t.files {
		more, err := v.offersOf(ctx, path, all[0])
		if err != nil {
			return nil, err
		}
		items = append(items, more...)
	}
	slices.SortFunc(items, compareItems)
	t.offering, t.offers = t.head, slices.CompactFunc(items, requests.Item.Equal)
	return t.offers, nil
}

// offersOf is what one version of a file gives, if it is a policy.
func (v *prover) offersOf(ctx context.Context, path string, of version) ([]requests.Item, error) {
	if of.Blob == "" || !strings.HasPrefix(path, policies.Folder+"/") {
		return nil, nil
	}
	content, err := v.branch.repository.Blob(ctx, of.Blob)
	if errors.Is(err, git.ErrTooLarge) {
		return nil, nil // it is no policy
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s of commit %s: %w", requests.Quote(path), of.Commit, err)
	}
	return policies.Offered(path, content, v.cluster.Name), nil
}

// keepOffers notes what versions that are proven give.
func (v *prover) keepOffers(ctx context.Context, files map[string][]version) error {
	offered := slices.Clone(v.trust.offered)
	for path, all := range files {
		for _, one := range all {
			if !one.proven() {
				continue
			}
			items, err := v.offersOf(ctx, path, one)
			if err != nil {
				return err
			}
			offered = append(offered, items...)
		}
	}
	slices.SortFunc(offered, compareItems)
	v.trust.offered = slices.CompactFunc(offered, requests.Item.Equal)
	if v.trust.offered == nil {
		v.trust.offered = []requests.Item{}
	}
	return nil
}

func compareItems(a, b requests.Item) int {
	return strings.Compare(fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b))
}
