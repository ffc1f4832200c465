package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Save writes a record, for the first time when it has no version. One that somebody else wrote
// since is a conflict.
func (c *Cluster) Save(ctx context.Context, r *plan.Record) error {
	m, maps := configMapOf(*r), c.core.ConfigMaps(Namespace)
	var saved *corev1.ConfigMap
	var err error
	if r.Version == "" {
		saved, err = maps.Create(ctx, m, metav1.CreateOptions{FieldManager: render.ManagedBy})
	} else {
		saved, err = maps.Update(ctx, m, metav1.UpdateOptions{FieldManager: render.ManagedBy})
	}
	if err != nil {
		return fmt.Errorf("writing the record %s/%s: %w", Namespace, m.Name, err)
	}
	r.Version = saved.ResourceVersion
	return nil
}

// Forget deletes a record as it was read.
func (c *Cluster) Forget(ctx context.Context, r plan.Record) error {
	name := requests.ObjectName(r.Grant.Name, 0)
	err := c.core.ConfigMaps(Namespace).Delete(ctx, name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &r.Version}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the record %s/%s: %w", Namespace, name, err)
	}
	return nil
}

// Records are what the agent of this cluster remembers. Those that cannot be read are left out, each
// with an error.
func (c *Cluster) Records(ctx context.Context) (all []plan.Record, unreadable []error,
	err error) {
	maps, err := c.core.ConfigMaps(Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: c.selector()})
	if err != nil {
		return nil, nil, fmt.Errorf("listing ConfigMaps in %s: %w", Namespace, err)
	}
	for i := range maps.Items {
		r, err := readRecord(&maps.Items[i])
		if err != nil {
			unreadable = append(unreadable, err)
			continue
		}
		all = append(all, r)
	}
	return all, unreadable, nil
}

// configMapOf writes a record. The request's bytes go where any bytes may stand.
func configMapOf(r plan.Record) *corev1.ConfigMap {
	data := map[string]string{"phase": string(r.Phase), "grant": encoded(r.Grant),
		"objects": encoded(r.Objects), "roles": encoded(r.Roles)}
	if r.Try != "" {
		data["try"] = r.Try
	}
	if r.Refused != nil {
		data["refused"] = encoded(r.Refused)
	}
	if len(r.Uses.First) > 0 {
		data["uses"] = encoded(r.Uses)
	}
	if r.Told != (plan.Told{}) {
		data["told"] = encoded(r.Told)
	}
	if r.Issue > 0 {
		data["issue"] = strconv.Itoa(r.Issue)
	}
	if r.Phase == plan.Ending || r.Phase == plan.Ended {
		data["cause"], data["code"] = r.Cause, r.Code
		if r.EndedBy != (requests.Person{}) {
			data["endedBy"] = encoded(r.EndedBy)
		}
	}
	if r.Phase == plan.Ended {
		data["endedAt"] = r.EndedAt.String()
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: Namespace, Name: requests.ObjectName(r.Grant.Name, 0),
			ResourceVersion: r.Version,
			Labels: map[string]string{
				render.LabelManagedBy: render.ManagedBy,
				render.LabelRequest:   requests.LabelValue(r.Grant.Name),
				render.LabelCluster:   requests.LabelValue(r.Grant.Cluster),
			},
		},
		Data:       data,
		BinaryData: map[string][]byte{"request": r.Request, "facts": r.Facts},
	}
}

// readRecord reads what configMapOf wrote.
func readRecord(m *corev1.ConfigMap) (plan.Record, error) {
	r := plan.Record{Phase: plan.Phase(m.Data["phase"]), Request: m.BinaryData["request"],
		Facts: m.BinaryData["facts"], Try: m.Data["try"], Cause: m.Data["cause"],
		Code:    m.Data["code"],
		Version: m.ResourceVersion}
	errs := []error{json.Unmarshal([]byte(m.Data["grant"]), &r.Grant),
		json.Unmarshal([]byte(m.Data["objects"]), &r.Objects),
		json.Unmarshal([]byte(m.Data["roles"]), &r.Roles)}
	if refused, noted := m.Data["refused"]; noted {
		errs = append(errs, json.Unmarshal([]byte(refused), &r.Refused))
	}
	if uses, noted := m.Data["uses"]; noted {
		errs = append(errs, json.Unmarshal([]byte(uses), &r.Uses), r.Uses.Check())
	}
	if told, noted := m.Data["told"]; noted {
		errs = append(errs, json.Unmarshal([]byte(told), &r.Told))
	}
	if issue, noted := m.Data["issue"]; noted {
		errs = append(errs, json.Unmarshal([]byte(issue), &r.Issue))
	}
	if by, noted := m.Data["endedBy"]; noted {
		errs = append(errs, json.Unmarshal([]byte(by), &r.EndedBy))
		r.EndedBy = requests.PersonOf(r.EndedBy.Login, r.EndedBy.ID, r.EndedBy.PullRequest)
	}
	switch r.Phase {
	case plan.Granting, plan.Granted, plan.Ending:
		if r.Grant.Window.End.IsZero() {
			errs = append(errs, errors.New("the grant has no end"))
		}
		if !plan.SameObjects(r.Objects, plan.ObjectsOf(r.Grant, true)) &&
			!(r.Grant.BackstopOptional &&
				plan.SameObjects(r.Objects, plan.ObjectsOf(r.Grant, false))) {
			errs = append(errs, errors.New("its objects are not those of the grant"))
		}
	case plan.Scheduled:
		if r.Grant.Window.End.IsZero() || len(r.Objects) > 0 {
			errs = append(errs, errors.New("the grant has no end, or has begun"))
		}
	case plan.Ended:
		errs = append(errs, r.EndedAt.UnmarshalText([]byte(m.Data["endedAt"])))
	default:
		errs = append(errs, fmt.Errorf("phase %s", requests.Quote(m.Data["phase"])))
	}
	if r.Cause != "" && !slices.Contains(requests.Causes, r.Cause) || strings.ContainsFunc(r.Code,
		func(c rune) bool { return !unicode.IsLetter(c) }) {
		errs = append(errs, errors.New("its cause or code is none")) // both become lines of a commit message
	}
	for i, o := range r.Objects { // a name that no call can be made with must not hold up those of others
		if !slices.ContainsFunc(plan.ObjectsOf(r.Grant, true), func(of plan.Object) bool {
			named := o.Namespace == "" || requests.CheckName(o.Namespace) == ""
			return named && of.Kind == o.Kind && of.Name == o.Name &&
				(o.Namespace == "") == (of.Namespace == "")
		}) {
			errs = append(errs, fmt.Errorf("its object %d is one that none has", i+1))
		}
	}
	if _, ok := requests.SplitPath(r.Grant.Path); !ok ||
		requests.ObjectName(r.Grant.Name, 0) != m.Name {
		errs = append(errs, errors.New("the grant is another one's"))
	}
	if err := errors.Join(errs...); err != nil {
		return r, fmt.Errorf(
			"read ConfigMap %s/%s: %w; its bindings are taken back; delete it to have the "+
				"request judged again",
			m.Namespace, m.Name, err)
	}
	return r, nil
}
