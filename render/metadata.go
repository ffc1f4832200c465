package render

import (
	"maps"
	"slices"
	"strconv"

	"github.com/pullgrant/pullgrant/requests"
)

// Kinds of the objects of a grant.
const (
	KindRoleBinding        = "RoleBinding"
	KindRole               = "Role"
	KindClusterRole        = "ClusterRole"
	KindClusterRoleBinding = "ClusterRoleBinding"
	KindJob                = "Job"
)

// Labels of every object of a grant.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by" // always ManagedBy
	LabelRequest   = "pullgrant.dev/request"        // requests.LabelValue of the request's name
	LabelCluster   = "pullgrant.dev/cluster"        // requests.LabelValue of the cluster
)

// ManagedBy is the value of LabelManagedBy, and the field manager.
const ManagedBy = "pullgrant"

// Annotations of every object of a grant. They tell people where the object comes from, and the
// agent when to take it back. None holds free text of a request.
const (
	AnnotationGrantedAt   = "pullgrant.dev/granted-at"   // start of the window, as requests.Time writes it
	AnnotationExpiresAt   = "pullgrant.dev/expires-at"   // end of the window
	AnnotationCommit      = "pullgrant.dev/commit"       // full SHA of the commit that brought the request to main
	AnnotationPath        = "pullgrant.dev/path"         // of the request
	AnnotationPullRequest = "pullgrant.dev/pull-request" // number; absent when the branch is the evidence
	AnnotationRequester   = "pullgrant.dev/requester"    // GitHub login
)

func labels(g requests.Grant) map[string]string {
	return map[string]string{
		LabelManagedBy: ManagedBy,
		LabelRequest:   requests.LabelValue(g.Name),
		LabelCluster:   requests.LabelValue(g.Cluster),
	}
}

// annotations leaves out what is not known yet: a request that is not merged has no window, commit
// or pull request.
func annotations(g requests.Grant) map[string]string {
	a := map[string]string{AnnotationPath: g.Path, AnnotationRequester: g.Requester}
	if g.Window != (requests.Window{}) {
		a[AnnotationGrantedAt] = g.Window.Start.String()
		a[AnnotationExpiresAt] = g.Window.End.String()
	}
	if g.Evidence.MergeCommit != "" {
		a[AnnotationCommit] = g.Evidence.MergeCommit
	}
	if g.Evidence.PullRequest != 0 {
		a[AnnotationPullRequest] = strconv.Itoa(g.Evidence.PullRequest)
	}
	return a
}

// difference names the first key, in order, under which two maps differ; empty when they are the
// same.
func difference(got, want map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if value, ok := want[key]; !ok || value != got[key] {
			return key
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[key]; !ok {
			return key
		}
	}
	return ""
}
