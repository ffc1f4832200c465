package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// BindingContent is Content of a RoleBinding.
func BindingContent(b *rbacv1.RoleBinding) string {
	return digest(b.ObjectMeta, b.Subjects, b.RoleRef)
}

func clusterBindingContent(b *rbacv1.ClusterRoleBinding) string {
	return digest(b.ObjectMeta, b.Subjects, b.RoleRef)
}

func clusterRoleContent(r *rbacv1.ClusterRole) string {
	return digest(r.ObjectMeta, r.Rules, r.AggregationRule)
}

func roleContent(r *rbacv1.Role) string { return digest(r.ObjectMeta, lasting(r.Rules)) }

// lasting are rules without the names that the agent keeps current.
func lasting(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	rules = slices.Clone(rules)
	for i, r := range rules {
		if slices.Contains(r.ResourceNames, requests.Placeholder) {
			rules[i].ResourceNames = []string{requests.Placeholder}
		}
	}
	return rules
}

// JobContent is Content of a Job: of what decides when a backstop acts.
func JobContent(j *batchv1.Job) string {
	suspended := j.Spec.Suspend != nil && *j.Spec.Suspend
	return digest(j.ObjectMeta, j.Spec.Completions, j.Spec.Parallelism,
		j.Spec.TTLSecondsAfterFinished, suspended)
}

func digest(meta metav1.ObjectMeta, fields ...any) string {
	notes := ours(meta.Labels)
	maps.Copy(notes, ours(meta.Annotations))
	sum := sha256.Sum256([]byte(encoded(append(fields, notes, meta.OwnerReferences,
		meta.Finalizers))))
	return hex.EncodeToString(sum[:])
}

// encoded is a value as JSON.
func encoded(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic("sync: write JSON: " + err.Error()) // strings and numbers always encode
	}
	return string(data)
}

// ours are the labels or annotations that the agent's work goes by.
func ours(all map[string]string) map[string]string {
	notes := map[string]string{}
	for key, value := range all {
		if key == render.LabelManagedBy || strings.HasPrefix(key, "pullgrant.dev/") {
			notes[key] = value
		}
	}
	return notes
}
