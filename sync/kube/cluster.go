// Package kube is Kubernetes as the agent uses it: what it observes, makes, deletes and remembers
// there, who leads, and what the agent itself may do.
package kube

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	admissionv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	batchv1 "k8s.io/client-go/kubernetes/typed/batch/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	rbacv1 "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/metadata"
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

// Cluster is Kubernetes as the agent uses it. Objects of grants are created and deleted; of them
// only the names in a Role of what matches are ever changed.
type Cluster struct {
	Name string // of the cluster in the access repository
	// AWSAuthKept says that the agent has the right to read aws-auth.
	AWSAuthKept bool

	core          corev1.CoreV1Interface
	rbac          rbacv1.RbacV1Interface
	batch         batchv1.BatchV1Interface
	coordination  coordinationv1.CoordinationV1Interface
	authorization authorizationv1.AuthorizationV1Interface
	admission     admissionv1.AdmissionregistrationV1Interface
	metadata      metadata.Interface // of objects of any kind
}

// NewCluster leaves rate limits to the API server: client-go's own default is five requests a
// second. timeout bounds every call, watches included; zero leaves it to the contexts. wrap, which
// may be nil, is put around every call.
func NewCluster(config *rest.Config, name string, timeout time.Duration,
	wrap func(http.RoundTripper) http.RoundTripper) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.UserAgent, config.Timeout = -1, "pullgrant", timeout
	if wrap != nil {
		config.Wrap(wrap)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the Kubernetes client: %w", err)
	}
	c := &Cluster{Name: name}
	var errs [7]error // one of each API; those of all others would be half of the program
	c.core, errs[0] = corev1.NewForConfigAndClient(config, client)
	c.rbac, errs[1] = rbacv1.NewForConfigAndClient(config, client)
	c.batch, errs[2] = batchv1.NewForConfigAndClient(config, client)
	c.coordination, errs[3] = coordinationv1.NewForConfigAndClient(config, client)
	c.authorization, errs[4] = authorizationv1.NewForConfigAndClient(config, client)
	c.admission, errs[5] = admissionv1.NewForConfigAndClient(config, client)
	c.metadata, errs[6] = metadata.NewForConfigAndClient(config, client)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("preparing the Kubernetes client: %w", err)
	}
	return c, nil
}

// labelled finds what says that pullgrant manages it, of whatever cluster. What is not of this one
// is nobody else's: there is one agent in a cluster.
var labelled = metav1.ListOptions{
	LabelSelector: labels.Set{render.LabelManagedBy: render.ManagedBy}.String()}

// selector finds the records of this cluster's agent.
func (c *Cluster) selector() string {
	return labels.Set{render.LabelManagedBy: render.ManagedBy,
		render.LabelCluster: requests.LabelValue(c.Name)}.String()
}
