package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
)

// TrustName is the ConfigMap that keeps what was proven of the files that decide.
const TrustName = "pullgrant-trust"

// Trust is what it holds.
type Trust struct {
	Asked string // the commit that was asked for as root
	Root  string // the commit whose files are given
	Head  string // the last commit that was looked at
	Files []byte // what is known of each file, as the agent packs it

	Version string // the ConfigMap's resource version; "" when it does not exist yet
}

// ReadTrust reads it; the zero TrustMap when there is none.
func (c *Cluster) ReadTrust(ctx context.Context) (Trust, error) {
	m, err := c.core.ConfigMaps(Namespace).Get(ctx, TrustName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Trust{}, nil
	}
	if err != nil {
		return Trust{}, fmt.Errorf("reading ConfigMap %s/%s: %w", Namespace, TrustName, err)
	}
	return Trust{Asked: m.Data["asked"], Root: m.Data["root"], Head: m.Data["head"],
		Files: m.BinaryData["files"], Version: m.ResourceVersion}, nil
}

// WriteTrust writes it and returns its new version. What somebody else wrote since is a conflict.
func (c *Cluster) WriteTrust(ctx context.Context, t Trust) (version string, err error) {
	m := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: TrustName,
			ResourceVersion: t.Version,
			// no cluster: it is no record of a grant
			Labels: map[string]string{render.LabelManagedBy: render.ManagedBy}},
		Data:       map[string]string{"asked": t.Asked, "root": t.Root, "head": t.Head},
		BinaryData: map[string][]byte{"files": t.Files},
	}
	maps := c.core.ConfigMaps(Namespace)
	if t.Version == "" {
		m, err = maps.Create(ctx, m, metav1.CreateOptions{FieldManager: render.ManagedBy})
	} else {
		m, err = maps.Update(ctx, m, metav1.UpdateOptions{FieldManager: render.ManagedBy})
	}
	if err != nil {
		return "", fmt.Errorf("writing ConfigMap %s/%s: %w", Namespace, TrustName, err)
	}
	return m.ResourceVersion, nil
}
