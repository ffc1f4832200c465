package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
)

// MessagesName is the ConfigMap that keeps what channels were told, and what they are to be told.
// The agent writes it with the right by which it writes its records, and nothing is granted by it.
const MessagesName = "pullgrant-messages"

// ReadMessages reads what WriteMessages wrote, packed as it was, and its version; "" when there is
// none.
func (c *Cluster) ReadMessages(ctx context.Context) (packed []byte, version string, err error) {
	m, err := c.core.ConfigMaps(Namespace).Get(ctx, MessagesName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading ConfigMap %s/%s: %w", Namespace, MessagesName, err)
	}
	return m.BinaryData["messages"], m.ResourceVersion, nil
}

// WriteMessages writes it in the place of a version and returns the new one. What somebody else
// wrote or deleted since is an error.
func (c *Cluster) WriteMessages(ctx context.Context, packed []byte, version string) (string, error) {
	m := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: MessagesName,
			ResourceVersion: version,
			// no cluster: it is no record of a grant
			Labels: map[string]string{render.LabelManagedBy: render.ManagedBy}},
		BinaryData: map[string][]byte{"messages": packed},
	}
	maps := c.core.ConfigMaps(Namespace)
	var err error
	if version == "" {
		m, err = maps.Create(ctx, m, metav1.CreateOptions{FieldManager: render.ManagedBy})
	} else {
		m, err = maps.Update(ctx, m, metav1.UpdateOptions{FieldManager: render.ManagedBy})
	}
	if err != nil {
		return "", fmt.Errorf("writing ConfigMap %s/%s: %w", Namespace, MessagesName, err)
	}
	return m.ResourceVersion, nil
}
