package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies/rbac"
)

// Survey is who may do what in a cluster, by RBAC.
type Survey struct {
	ClusterRoles    []rbacv1.ClusterRole
	Roles           []rbacv1.Role
	ClusterBindings []rbacv1.ClusterRoleBinding
	Bindings        []rbacv1.RoleBinding
}

// Survey reads all roles and bindings, which takes the right to list them.
func (c *Cluster) Survey(ctx context.Context) (s Survey, err error) {
	fail := func(what string, err error) (Survey, error) {
		return Survey{}, fmt.Errorf("listing %s: %w", what, err)
	}
	clusterRoles, err := c.rbac.ClusterRoles().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("ClusterRoles", err)
	}
	roles, err := c.rbac.Roles("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("Roles", err)
	}
	clusterBindings, err := c.rbac.ClusterRoleBindings().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("ClusterRoleBindings", err)
	}
	bindings, err := c.rbac.RoleBindings("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("RoleBindings", err)
	}
	return Survey{clusterRoles.Items, roles.Items, clusterBindings.Items, bindings.Items}, nil
}

// Rules are those of the role that a binding in a namespace names; empty: of one for the whole
// cluster. A role that is not there gives nothing.
func (s Survey) Rules(namespace string, of rbacv1.RoleRef) []rbac.RoleRule {
	if of.Kind == "Role" {
		for _, r := range s.Roles {
			if r.Namespace == namespace && r.Name == of.Name {
				return roleRules(r.Rules)
			}
		}
		return nil
	}
	for _, r := range s.ClusterRoles {
		if r.Name == of.Name {
			return roleRules(r.Rules)
		}
	}
	return nil
}

// RulesOf are the rules of a Role or ClusterRole as LiveFootprint and render.Compare have it; other
// objects have none.
func RulesOf(object map[string]any) (rules []rbac.RoleRule, err error) {
	data, err := json.Marshal(object["rules"])
	if err == nil {
		err = json.Unmarshal(data, &rules)
	}
	if err != nil {
		return nil, fmt.Errorf("read the rules of %v: %w", object["kind"], err)
	}
	return rules, nil
}

// Version is the API server's, as v1.34.2.
func (c *Cluster) Version(ctx context.Context) (string, error) {
	data, err := c.core.RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	var told version.Info
	if err == nil {
		err = json.Unmarshal(data, &told)
	}
	if err != nil {
		return "", fmt.Errorf("asking for the API server's version: %w", err)
	}
	return told.GitVersion, nil
}

// Process is a Deployment of ours.
type Process struct {
	Args          []string
	Wanted, Ready int32
}

// Flag is the value that a flag of the process has; empty where it is not given.
func (p Process) Flag(name string) (value string) {
	for _, arg := range p.Args {
		if v, is := strings.CutPrefix(arg, "--"+name+"="); is {
			value = v
		}
	}
	return value
}

// Process reads a Deployment in the agent's namespace; there is false where there is none.
func (c *Cluster) Process(ctx context.Context, name string) (p Process, there bool, err error) {
	var d appsv1.Deployment
	err = c.core.RESTClient().Get().AbsPath("/apis", appsv1.GroupName, "v1", "namespaces", Namespace,
		"deployments", name).Do(ctx).Into(&d)
	switch {
	case apierrors.IsNotFound(err):
		return p, false, nil
	case err != nil:
		return p, false, fmt.Errorf("reading Deployment %s/%s: %w", Namespace, name, err)
	}
	p = Process{Wanted: 1, Ready: d.Status.ReadyReplicas}
	if d.Spec.Replicas != nil {
		p.Wanted = *d.Spec.Replicas
	}
	for _, container := range d.Spec.Template.Spec.Containers {
		p.Args = append(p.Args, container.Args...)
	}
	return p, true, nil
}

// Keys are those of a Secret in the agent's namespace, sorted, for whoever may read it; none where there
// is none.
func (c *Cluster) Keys(ctx context.Context, name string) ([]string, error) {
	var secret corev1.Secret
	err := c.core.RESTClient().Get().AbsPath("/api", "v1", "namespaces", Namespace, "secrets", name).Do(ctx).
		Into(&secret)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading which keys Secret %s/%s has: %w", Namespace, name, err)
	}
	return slices.Sorted(maps.Keys(secret.Data)), nil
}

// As is a configuration for whoever may impersonate one of our ServiceAccounts.
func As(config *Config, account string) *Config {
	as := rest.CopyConfig(config)
	as.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + Namespace + ":" + account,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + Namespace,
			"system:authenticated"}}
	return as
}

// ErrLasts says that the cluster did not delete a Job whose time was over.
var ErrLasts = errors.New("the cluster did not delete it in time; is its TTL controller running?")

// Ends runs a Job in the agent's namespace, under a name of its own and without labels, and waits
// until the cluster has deleted it. It is deleted in any case.
func (c *Cluster) Ends(ctx context.Context, job batchv1.Job, within time.Duration) error {
	jobs := c.batch.Jobs(Namespace)
	job.ObjectMeta = metav1.ObjectMeta{GenerateName: "doctor-", Namespace: Namespace}
	made, err := jobs.Create(ctx, &job, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating a Job in %s: %w", Namespace, err)
	}
	defer func() {
		background := metav1.DeletePropagationBackground
		_ = jobs.Delete(context.WithoutCancel(ctx), made.Name,
			metav1.DeleteOptions{PropagationPolicy: &background})
	}()
	waiting, stop := context.WithTimeout(ctx, within)
	defer stop()
	for {
		_, err := jobs.Get(waiting, made.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case waiting.Err() != nil && ctx.Err() == nil:
			return fmt.Errorf("job %s/%s: %w", Namespace, made.Name, ErrLasts)
		case err != nil:
			return fmt.Errorf("reading Job %s/%s: %w", Namespace, made.Name, err)
		}
		select {
		case <-waiting.Done():
		case <-time.After(time.Second):
		}
	}
}
