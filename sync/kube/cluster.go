// Package kube is Kubernetes as the agent uses it: what it observes, makes, deletes and remembers there, who leads, and what
// the agent itself may do.
package kube

import (
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// Namespace is where the agent lives and keeps its state.
const Namespace = requests.AgentNamespace

// CallTimeout bounds one call to the API server.
const CallTimeout = 30 * time.Second

// Config says how the API server is reached.
type Config = rest.Config

// Cluster is Kubernetes as the agent uses it. Bindings are created and deleted, never changed.
type Cluster struct {
	client *kubernetes.Clientset
	Name   string // of the cluster in the access repository
}

// NewCluster leaves rate limits to the API server: client-go's own default is five requests a second. timeout bounds
// every call, watches included; zero leaves it to the contexts. wrap, which may be nil, is put around every call.
func NewCluster(config *rest.Config, name string, timeout time.Duration, wrap func(http.RoundTripper) http.RoundTripper) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.UserAgent, config.Timeout = -1, "pullgrant", timeout
	if wrap != nil {
		config.Wrap(wrap)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the Kubernetes client: %w", err)
	}
	return &Cluster{client: client, Name: name}, nil
}

// selector finds what this cluster's agent made.
func (c *Cluster) selector() string {
	return labels.Set{render.LabelManagedBy: render.ManagedBy, render.LabelCluster: requests.LabelValue(c.Name)}.String()
}
