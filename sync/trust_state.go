package sync

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
)

// trustName is the ConfigMap that keeps what was proven of the files that decide.
const trustName = "pullgrant-trust"

// trust reads what an earlier run proved; nothing when it went by another root, or proved nothing yet.
func (c *cluster) trust(ctx context.Context, asked string) (*trust, error) {
	m, err := c.client.CoreV1().ConfigMaps(Namespace).Get(ctx, trustName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &trust{asked: asked}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s: %w", Namespace, trustName, err)
	}
	t := &trust{asked: asked, resource: m.ResourceVersion}
	if m.Data["asked"] != asked {
		return t, nil
	}
	t.root, t.head = m.Data["root"], m.Data["head"]
	t.files, err = unpackFiles(m.BinaryData["files"])
	for path, all := range t.files {
		if len(all) == 0 {
			err = errors.Join(err, fmt.Errorf("%s has no version", path))
		}
	}
	if err != nil || t.root == "" || t.head == "" || t.files == nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s: %w; delete it to have everything proven again",
			Namespace, trustName, errors.Join(errors.New("somebody broke it"), err))
	}
	return t, nil
}

// saveTrust writes it. What somebody else wrote since is a conflict.
func (c *cluster) saveTrust(ctx context.Context, t *trust) error {
	files, err := packFiles(t.files)
	if err != nil {
		return fmt.Errorf("writing ConfigMap %s/%s: %w", Namespace, trustName, err)
	}
	m := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: trustName, ResourceVersion: t.resource,
			Labels: map[string]string{render.LabelManagedBy: render.ManagedBy}}, // no cluster: it is no record of a grant
		Data:       map[string]string{"asked": t.asked, "root": t.root, "head": t.head},
		BinaryData: map[string][]byte{"files": files},
	}
	maps := c.client.CoreV1().ConfigMaps(Namespace)
	if t.resource == "" {
		m, err = maps.Create(ctx, m, metav1.CreateOptions{FieldManager: render.ManagedBy})
	} else {
		m, err = maps.Update(ctx, m, metav1.UpdateOptions{FieldManager: render.ManagedBy})
	}
	if err != nil {
		return fmt.Errorf("writing ConfigMap %s/%s: %w", Namespace, trustName, err)
	}
	t.resource = m.ResourceVersion
	return nil
}

// packFiles compresses: a ConfigMap holds 1 MiB, and there may be thousands of files.
func packFiles(files map[string][]version) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if err := errors.Join(json.NewEncoder(w).Encode(files), w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
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
