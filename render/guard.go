package render

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"sigs.k8s.io/json"

	"github.com/pullgrant/pullgrant/requests"
)

var commitPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// check refuses a grant that no policy can have produced. Whoever judged it has checked all this;
// doing so again where objects are made means that one slip elsewhere is not enough to hand out a
// protected role.
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
	case len(g.Items) == 0:
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
			return fmt.Errorf("its window from %s to %s is never open", g.Window.Start,
				g.Window.End)
		}
	}
	for i, item := range g.Items {
		if !known(item.Kind) {
			return fmt.Errorf("binding %d: %w", i+1, refuse("kind", item.Kind,
				"no such thing is ever made"))
		}
		if want := requests.ItemName(g.Name, i, item.Mode); item.Name != want {
			return fmt.Errorf("binding %d: %w", i+1, refuse("name", item.Name, "it must be "+want))
		}
		if err := kindOf(item).check(item); err != nil {
			return fmt.Errorf("binding %d: %w", i+1, err)
		}
	}
	return checkModes(g)
}

func refuse(what, value, problem string) error {
	return fmt.Errorf("%s is %s; %s", what, requests.Quote(value), problem)
}

// guard reads the objects that a build gave, as JSON, and refuses anything that differs from the
// grant: more, fewer or other objects, another order, any field with another value, any field
// beyond those the grant sets.
func guard(g requests.Grant, output [][]byte) ([]Object, error) {
	if err := check(g); err != nil {
		return nil, err
	}
	wanted, compare := plainObjects(g)
	if len(output) != len(wanted) {
		return nil, fmt.Errorf("the build gave %d objects for %d bindings", len(output),
			len(wanted))
	}
	objects := make([]Object, len(output))
	for i, data := range output {
		objects[i] = reflect.New(reflect.TypeOf(wanted[i]).Elem()).Interface().(Object)
		// Unlike encoding/json, this decoder tells keys of another case apart and reports repeated
		// ones.
		unknown, err := json.UnmarshalStrict(data, objects[i])
		if err == nil {
			err = errors.Join(unknown...)
		}
		if err == nil {
			err = same(g, compare[i], objects[i])
		}
		if err != nil {
			return nil, fmt.Errorf("object %d of the build is not what the grant says: %w", i+1,
				err)
		}
	}
	return objects, nil
}

// same compares an object, field by field, with what the grant says; the first difference is an
// error, and so is anything that the object sets beyond that.
func same(g requests.Grant, compare func(got Object) error, object Object) error {
	if err := compare(object); err != nil {
		return err
	}
	if key := difference(object.GetLabels(), labels(g)); key != "" {
		return fmt.Errorf("its label %q is %q, not %q", key, object.GetLabels()[key],
			labels(g)[key])
	}
	if key := difference(object.GetAnnotations(), annotations(g)); key != "" {
		return fmt.Errorf("its annotation %q is %q, not %q", key, object.GetAnnotations()[key],
			annotations(g)[key])
	}
	return nil
}
