package kube

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// TrustName is the ConfigMap that keeps what was proven of the files that decide.
const TrustName = "pullgrant-trust"

// Trust is what it holds.
type Trust struct {
	Asked string // the commit that was asked for as root
	Root  string // the commit whose files are given
	Head  string // the last commit that was looked at
	Files []byte // what is known of each file, as the agent packs it
	// Offered is what the policies that were proven gave, at whatever time; nil where an older
	// program kept none of it.
	Offered []requests.Item

	Version string // the ConfigMap's resource version; "" when it does not exist yet
}

// ReadTrust reads it; the zero Trust when there is none.
func (c *Cluster) ReadTrust(ctx context.Context) (Trust, error) {
	m, err := c.core.ConfigMaps(Namespace).Get(ctx, TrustName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Trust{}, nil
	}
	if err != nil {
		return Trust{}, fmt.Errorf("reading ConfigMap %s/%s: %w", Namespace, TrustName, err)
	}
	t := Trust{Asked: m.Data["asked"], Root: m.Data["root"], Head: m.Data["head"],
		Files: m.BinaryData["files"], Version: m.ResourceVersion}
	if packed, kept := m.BinaryData["offered"]; kept {
		t.Offered = []requests.Item{}
		if err := Unpack(packed, &t.Offered); err != nil {
			return Trust{}, fmt.Errorf("reading ConfigMap %s/%s: what the policies gave: %w; delete "+
				"it to have everything proven again", Namespace, TrustName, err)
		}
	}
	return t, nil
}

// WriteTrust writes it and returns its new version. What somebody else wrote since is a conflict.
func (c *Cluster) WriteTrust(ctx context.Context, t Trust) (version string, err error) {
	m := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: TrustName,
			ResourceVersion: t.Version,
			// no cluster: it is no record of a grant
			Labels: map[string]string{render.LabelManagedBy: render.ManagedBy}},
		Data:       map[string]string{"asked": t.Asked, "root": t.Root, "head": t.Head},
		BinaryData: map[string][]byte{"files": t.Files, "offered": Pack(t.Offered)},
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

// Offered reads what the policies that were proven ever gave, as the agent of a cluster keeps it;
// nil where it kept nothing yet. It takes the right to get that ConfigMap.
func Offered(ctx context.Context, config *rest.Config, cluster string) ([]requests.Item, error) {
	c, err := NewCluster(config, cluster, CallTimeout, nil)
	if err != nil {
		return nil, err
	}
	t, err := c.ReadTrust(ctx)
	return t.Offered, err
}

// Pack compresses: a ConfigMap holds 1 MiB, and there may be thousands of files and items. Memory
// takes all that is written, and texts and numbers always encode.
func Pack(content any) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_ = json.NewEncoder(w).Encode(content)
	_ = w.Close()
	return out.Bytes()
}

// Unpack reads what Pack made.
func Unpack(data []byte, content any) error {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	const most = 64 << 20
	all, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return err
	}
	return json.Unmarshal(all, content)
}
