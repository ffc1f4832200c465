package kube

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
)

// How the API server begins a refusal: what it is about, then who refuses. Only there is it told
// from what a policy of somebody else says further on.
var (
	byPolicy = regexp.MustCompile(`^[^ ]+ (?:"[^"]*" )?is forbidden: ` +
		`ValidatingAdmissionPolicy '([^']*)' with binding '[^']*' denied request: `)
	byRights = regexp.MustCompile(`^[^ ]+ (?:"[^"]*" )?is forbidden: (?:User "[^"]*" cannot |` +
		`user "[^"]*" \(groups=.*\) is attempting to grant RBAC permissions not currently held)`)
	byWebhook = regexp.MustCompile(`^admission webhook "[^"]*" denied the request`)
)

// answer is what the API server said; "" when an error is none of its.
func answer(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return ""
	}
	return status.Status().Message
}

// RefusedByFence tells whether a call was refused by the part of the fence that is about the agent.
func RefusedByFence(err error) bool {
	by := byPolicy.FindStringSubmatch(answer(err))
	return by != nil && by[1] == render.FenceAgent
}

// RefusedByRights tells whether a call was refused because the agent lacks a right.
func RefusedByRights(err error) bool {
	return byRights.MatchString(answer(err)) ||
		RefusedByFence(err) && (strings.HasSuffix(answer(err), render.MayNotBind) ||
			strings.HasSuffix(answer(err), render.MayNotWrite))
}

// Objected tells a refusal by what watches over a namespace (a quota, a policy, its own end) from
// one that is about the agent, by RBAC or its fence, and from calls that did not work.
func Objected(err error) bool {
	return (apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		byWebhook.MatchString(answer(err))) && !RefusedByRights(err) && !RefusedByFence(err)
}

// maxWords bounds the words of the API server that are repeated.
const maxWords = 500

// Words are what the API server said, as one line of bounded length that can be shown; those of the
// error when it said nothing.
func Words(err error) string {
	text := answer(err)
	if text == "" {
		text = err.Error()
	}
	plain := []rune(strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.IsGraphic(c) {
			return c
		}
		return ' '
	}, text)), " "))
	if len(plain) > maxWords {
		plain = append(plain[:maxWords:maxWords], '…')
	}
	return string(plain)
}

// ChangedError says that the cluster makes another object than it is asked for.
type ChangedError struct {
	Object string // for people
	Field  string // that is another; empty when the fence saw that something is, and refused it
	UID    string // of the object, which is there; empty when it was refused
	Words  string // of the fence
}

func (e *ChangedError) Error() string {
	const why = "something in the cluster changes it"
	if e.Field == "" {
		return e.Object + " is refused by the fence, so " + why + ": " + e.Words
	}
	return e.Object + " was made with another " + e.Field + " than was asked for: " + why
}

// changedBinding names the first field that gives access or decides over its end and is not as it
// was asked for; "" when there is none.
func changedBinding(asked, made *rbacv1.RoleBinding) string {
	return cmp.Or(changedGift(asked.RoleRef, made.RoleRef, asked.Subjects, made.Subjects),
		changedMeta(asked.ObjectMeta, made.ObjectMeta))
}

func changedClusterBinding(asked, made *rbacv1.ClusterRoleBinding) string {
	return cmp.Or(changedGift(asked.RoleRef, made.RoleRef, asked.Subjects, made.Subjects),
		changedMeta(asked.ObjectMeta, made.ObjectMeta))
}

func changedGift(asked, made rbacv1.RoleRef, wanted, subjects []rbacv1.Subject) string {
	switch {
	case asked != made:
		return "roleRef"
	case !equality.Semantic.DeepEqual(wanted, subjects):
		return "subjects"
	}
	return ""
}

func changedClusterRole(asked, made *rbacv1.ClusterRole) string {
	if !equality.Semantic.DeepEqual(asked.Rules, made.Rules) || made.AggregationRule != nil {
		return "rules"
	}
	return changedMeta(asked.ObjectMeta, made.ObjectMeta)
}

func changedRole(asked, made *rbacv1.Role) string {
	if !equality.Semantic.DeepEqual(lasting(asked.Rules), lasting(made.Rules)) {
		return "rules"
	}
	return changedMeta(asked.ObjectMeta, made.ObjectMeta)
}

// changedJob names the first field that decides when a backstop acts, or whether it does.
func changedJob(asked, made *batchv1.Job) string {
	of := func(j *batchv1.Job) (suspended bool, manager string) {
		manager = batchv1.JobControllerName
		if j.Spec.ManagedBy != nil {
			manager = *j.Spec.ManagedBy
		}
		return j.Spec.Suspend != nil && *j.Spec.Suspend, manager
	}
	suspended, manager := of(made)
	wantSuspended, wantManager := of(asked)
	same := equality.Semantic.DeepEqual
	switch {
	case !same(asked.Spec.TTLSecondsAfterFinished, made.Spec.TTLSecondsAfterFinished):
		return "spec.ttlSecondsAfterFinished"
	case suspended != wantSuspended:
		return "spec.suspend"
	case !same(asked.Spec.Completions, made.Spec.Completions):
		return "spec.completions"
	case !same(asked.Spec.Parallelism, made.Spec.Parallelism):
		return "spec.parallelism"
	case manager != wantManager:
		return "spec.managedBy"
	}
	return changedMeta(asked.ObjectMeta, made.ObjectMeta)
}

// changedMeta looks at what digest does.
func changedMeta(asked, made metav1.ObjectMeta) string {
	for _, m := range []struct {
		field       string
		asked, made map[string]string
	}{
		{"metadata.labels", asked.Labels, made.Labels},
		{"metadata.annotations", asked.Annotations, made.Annotations},
	} {
		want, got := ours(m.asked), ours(m.made)
		var keys []string
		for key := range want {
			keys = append(keys, key)
		}
		for key := range got {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			a, wanted := want[key]
			if b, there := got[key]; a != b || wanted != there {
				return m.field + "[" + key + "]"
			}
		}
	}
	switch {
	case !equality.Semantic.DeepEqual(asked.OwnerReferences, made.OwnerReferences):
		return "metadata.ownerReferences"
	case !equality.Semantic.DeepEqual(asked.Finalizers, made.Finalizers):
		return "metadata.finalizers"
	}
	return ""
}
