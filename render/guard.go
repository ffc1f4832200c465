package render

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"

	"github.com/pullgrant/pullgrant/requests"
)

var commitPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// check refuses a grant that no policy can have produced. Whoever judged it has checked all this; doing so again where
// objects are made means that one slip elsewhere is not enough to hand out a protected role.
func check(g requests.Grant) error {
	switch {
	case requests.CheckLogin(g.Requester) != "":
		return refuse("requester", g.Requester, requests.CheckLogin(g.Requester))
	case requests.CheckRequestName(g.Name, g.Requester) != "":
		return refuse("name", g.Name, requests.CheckRequestName(g.Name, g.Requester))
	case requests.CheckName(g.Cluster) != "":
		return refuse("cluster", g.Cluster, requests.CheckName(g.Cluster))
	case requests.CheckName(g.Policy) != "":
		return refuse("policy", g.Policy, requests.CheckName(g.Policy))
	case g.Path != requests.Path(g.Cluster, g.Policy, g.Name):
		return refuse("path", g.Path, "it must be "+requests.Path(g.Cluster, g.Policy, g.Name))
	case g.Subject.Kind != requests.KindUser:
		return refuse("subject kind", g.Subject.Kind, "allowed: "+requests.KindUser)
	case requests.CheckSubject(g.Subject.Name) != "":
		return refuse("subject", g.Subject.Name, requests.CheckSubject(g.Subject.Name))
	case len(g.Bindings) == 0:
		return errors.New("it has no bindings")
	case g.Evidence.PullRequest < 0:
		return fmt.Errorf("pull request %d is no number of one", g.Evidence.PullRequest)
	case g.Evidence.MergeCommit != "" && !commitPattern.MatchString(g.Evidence.MergeCommit):
		return refuse("merge commit", g.Evidence.MergeCommit, "it must be a full SHA")
	}
	if g.Window != (requests.Window{}) {
		if g.Evidence.MergeCommit == "" {
			return errors.New("it has a window but no merge commit")
		}
		if !g.Window.Start.Before(g.Window.End.Time) || g.Window.Start.IsZero() {
			return fmt.Errorf("its window from %s to %s is never open", g.Window.Start, g.Window.End)
		}
	}
	for i, b := range g.Bindings {
		if err := checkBinding(b, requests.ObjectName(g.Name, i)); err != nil {
			return fmt.Errorf("binding %d: %w", i+1, err)
		}
	}
	return nil
}

func checkBinding(b requests.Binding, name string) error {
	switch {
	case b.Name != name:
		return refuse("name", b.Name, "it must be "+name)
	case requests.CheckName(b.Namespace) != "":
		return refuse("namespace", b.Namespace, requests.CheckName(b.Namespace))
	case strings.HasPrefix(b.Namespace, "kube-") || b.Namespace == requests.AgentNamespace:
		return refuse("namespace", b.Namespace, "it is protected")
	case b.Role.Kind != requests.KindClusterRole:
		return refuse("role kind", b.Role.Kind, "allowed: "+requests.KindClusterRole)
	case requests.CheckRole(b.Role.Name) != "":
		return refuse("role", b.Role.Name, requests.CheckRole(b.Role.Name))
	case strings.HasPrefix(b.Role.Name, "system:"):
		return refuse("role", b.Role.Name, "it is protected")
	}
	return nil
}

func refuse(what, value, problem string) error {
	return fmt.Errorf("%s is %s; %s", what, requests.Quote(value), problem)
}

// guard reads the objects that a build gave, as JSON, and refuses anything that differs from the grant: more, fewer or
// other objects, another order, any field with another value, any field beyond those the grant sets.
func guard(g requests.Grant, output [][]byte) ([]rbacv1.RoleBinding, error) {
	if err := check(g); err != nil {
		return nil, err
	}
	if len(output) != len(g.Bindings) {
		return nil, fmt.Errorf("the build gave %d objects for %d bindings", len(output), len(g.Bindings))
	}
	objects := make([]rbacv1.RoleBinding, len(output))
	for i, data := range output {
		// Unlike encoding/json, this decoder tells keys of another case apart and reports repeated ones.
		unknown, err := json.UnmarshalStrict(data, &objects[i])
		if err == nil {
			err = errors.Join(unknown...)
		}
		if err == nil {
			err = same(g, g.Bindings[i], objects[i])
		}
		if err != nil {
			return nil, fmt.Errorf("object %d of the build is not what the grant says: %w", i+1, err)
		}
	}
	return objects, nil
}

// same takes away from an object, field by field, what the grant says; the first difference is an error, and so is
// anything left in the end.
func same(g requests.Grant, b requests.Binding, object rbacv1.RoleBinding) error {
	subject := rbacv1.Subject{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: g.Subject.Name}
	role := rbacv1.RoleRef{Kind: "ClusterRole", APIGroup: "rbac.authorization.k8s.io", Name: b.Role.Name}
	switch {
	case object.APIVersion != "rbac.authorization.k8s.io/v1" || object.Kind != "RoleBinding":
		return fmt.Errorf("it is a %q of %q", object.Kind, object.APIVersion)
	case object.Name != b.Name:
		return fmt.Errorf("its name is %q, not %q", object.Name, b.Name)
	case object.Namespace != b.Namespace:
		return fmt.Errorf("its namespace is %q, not %q", object.Namespace, b.Namespace)
	case object.RoleRef != role:
		return fmt.Errorf("its roleRef is %+v, not %+v", object.RoleRef, role)
	case len(object.Subjects) != 1:
		return fmt.Errorf("it has %d subjects, not 1", len(object.Subjects))
	case object.Subjects[0] != subject:
		return fmt.Errorf("its subject is %+v, not %+v", object.Subjects[0], subject)
	}
	if key := difference(object.Labels, labels(g)); key != "" {
		return fmt.Errorf("its label %q is %q, not %q", key, object.Labels[key], labels(g)[key])
	}
	if key := difference(object.Annotations, annotations(g)); key != "" {
		return fmt.Errorf("its annotation %q is %q, not %q", key, object.Annotations[key], annotations(g)[key])
	}
	object.TypeMeta = metav1.TypeMeta{}
	object.Name, object.Namespace, object.Labels, object.Annotations = "", "", nil, nil
	object.RoleRef, object.Subjects = rbacv1.RoleRef{}, nil
	if !reflect.DeepEqual(object, rbacv1.RoleBinding{}) {
		return errors.New("it sets fields that no grant sets")
	}
	return nil
}
