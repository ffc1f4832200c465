package sync

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
	t.root, t.head = m.Root, m.Head
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
		Files: packFiles(t.files), Version: t.resource})
	if err == nil {
		t.resource = version
	}
	return err
}

// packFiles compresses: a ConfigMap holds 1 MiB, and there may be thousands of files. Memory takes
// all that is written, and texts and numbers always encode.
func packFiles(files map[string][]version) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_ = json.NewEncoder(w).Encode(files)
	_ = w.Close()
	return out.Bytes()
}

func unpackFiles(data []byte) (files map[string][]version, err error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	const most = 64 << 20
	all, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(all, &files)
	return files, err
}
