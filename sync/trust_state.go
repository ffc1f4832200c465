package sync

import (
	"context"
	"errors"
	"fmt"

	"github.com/pullgrant/pullgrant/sync/kube"
)

// readTrust reads what an earlier run proved; nothing when it went by another root, or proved
// nothing yet.
func readTrust(ctx context.Context, c *kube.Cluster, asked string) (*trust, error) {
	m, err := c.ReadTrust(ctx)
	if err != nil {
		return nil, err
	}
	t := &trust{asked: asked, resource: m.Version}
	if m.Version == "" || m.Asked != asked {
		return t, nil
	}
	t.root, t.head, t.offered = m.Root, m.Head, m.Offered
	t.files, err = unpackFiles(m.Files)
	for path, all := range t.files {
		if len(all) == 0 {
			err = errors.Join(err, fmt.Errorf("%s has no version", path))
		}
	}
	if err != nil || t.root == "" || t.head == "" || t.files == nil {
		return nil, fmt.Errorf(
			"reading ConfigMap %s/%s: %w; delete it to have everything proven again",
			kube.Namespace, kube.TrustName, errors.Join(errors.New("somebody broke it"), err))
	}
	return t, nil
}

// save writes it for the next run. What somebody else wrote since is a conflict.
func (t *trust) save(ctx context.Context, c *kube.Cluster) error {
	version, err := c.WriteTrust(ctx, kube.Trust{Asked: t.asked, Root: t.root, Head: t.head,
		Files: packFiles(t.files), Offered: t.offered, Version: t.resource})
	if err == nil {
		t.resource = version
	}
	return err
}

// packFiles and unpackFiles are how the files are kept.
func packFiles(files map[string][]version) []byte { return kube.Pack(files) }

func unpackFiles(data []byte) (files map[string][]version, err error) {
	err = kube.Unpack(data, &files)
	return files, err
}
