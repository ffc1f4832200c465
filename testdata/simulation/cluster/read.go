package cluster

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// write sends an answer: an object, a list, or what encodes as JSON.
func write(w http.ResponseWriter, code int, answer any) {
	if o, is := answer.(Object); is {
		answer = o.Object
	}
	data, err := json.Marshal(answer)
	if err != nil {
		panic(err) // all of it came from JSON
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(data, '\n')) // whoever does not listen misses it
}

// fail sends an error as the API server words it.
func fail(w http.ResponseWriter, err error) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	s := status.Status()
	s.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	write(w, int(s.Code), s)
}

func generic(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code,
		Reason: reason, Message: message}}
}

const partial = "PartialObjectMetadata"

// only leaves of an answer what the call accepts: all, or metadata alone.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
func only(r *http.Request, answer any) (any, error) {
	accept := r.Header.Get("Accept")
	if !strings.Contains(accept, "as="+partial) {
		return answer, nil
	}
	alone := func(o map[string]any, kind string) map[string]any {
		return map[string]any{"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": o["metadata"]}
	}
	switch a := answer.(type) {
	case Object:
		return alone(a.Object, partial), nil
	case map[string]any:
		items, is := a["items"].([]any)
		if !is {
			break
		}
		if !strings.Contains(accept, "as="+partial+"List") {
			return nil, generic(http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable,
				fmt.Sprintf("you requested %s, but the requested object is a list (%v)", partial, a["kind"]))
		}
		all := make([]any, 0, len(items))
		for _, item := range items {
			all = append(all, alone(item.(map[string]any), partial))
		}
		list := alone(a, partial+"List")
		list["items"] = all
		return list, nil
	}
	return answer, nil
}

// filter tells what of a resource a list or a watch is about.
func (q *request) filter() (func(Object) bool, error) {
	byLabel, err := labels.Parse(q.option("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest("unable to parse requirement: " + err.Error())
	}
	byField, err := fields.ParseSelector(q.option("fieldSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	for _, r := range byField.Requirements() {
		if r.Field != "metadata.name" && r.Field != "metadata.namespace" &&
			!slices.Contains(q.res.fields, r.Field) {
			return nil, apierrors.NewBadRequest("field label not supported: " + r.Field)
		}
	}
	return func(o Object) bool {
		if q.namespace != "" && o.GetNamespace() != q.namespace || q.name != "" && o.GetName() != q.name {
			return false
		}
		if !byLabel.Empty() && !byLabel.Matches(labels.Set(o.GetLabels())) {
			return false
		}
		for _, r := range byField.Requirements() {
			value, _, _ := unstructured.NestedString(o.Object, strings.Split(r.Field, ".")...)
			if (value == r.Value) != (r.Operator != "!=") {
				return false
			}
		}
		return true
	}, nil
}

// next is the place in a list that was not read to its end.
type next struct {
	Version uint64
	After   string // namespace/name
}

// tooOld is what the API server says of a version that etcd has compacted.
func tooOld(asked, floor uint64) *apierrors.StatusError {
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", asked, floor))
}

// future is what it says of a version that is not there yet, as after etcd was set back.
func future(asked, current uint64) error {
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", asked,
		current), 1)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}}
	return err
}

// seen is what a list sees, and of which version that is.
func (c *Cluster) seen(q *request) (all []Object, version uint64, err error) {
	asked := q.option("resourceVersion")
	number, err := strconv.ParseUint("0"+asked, 10, 64)
	if err != nil {
		return nil, 0, apierrors.NewBadRequest("Invalid value: " + strconv.Quote(asked) +
			": the resource version is not a number")
	}
	version = c.version
	switch {
	case q.option("resourceVersionMatch") == string(metav1.ResourceVersionMatchExact):
		version = number
	case number > c.version:
		return nil, 0, future(number, c.version)
	case asked == "0" && c.faults.StaleBy > 0: // any version will do, and a cache that lags has an old one
		version = max(c.floor, min(c.version, c.version-min(c.faults.StaleBy, c.version)))
	}
	all, remembered := c.at(q.res, version)
	if !remembered {
		return nil, 0, tooOld(version, c.floor)
	}
	return all, version, nil
}

func (c *Cluster) listed(q *request) (int, any, error) {
	matches, err := q.filter()
	if err != nil {
		return 0, nil, err
	}
	limit, _ := strconv.Atoi(q.option("limit"))
	if q.option("resourceVersion") == "0" {
		limit = 0 // a cache gives all at once
	}
	var from next
	var all []Object
	var version uint64
	if token := q.option("continue"); token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			err = json.Unmarshal(text, &from)
		}
		if err != nil {
			return 0, nil, apierrors.NewBadRequest("continue key is not valid: " + err.Error())
		}
		version = from.Version
		var there bool
		if all, there = c.at(q.res, version); !there {
			return 0, nil, apierrors.NewResourceExpired("The provided continue parameter is too old " +
				"to display a consistent list result. You can start a new list without the continue " +
				"parameter.")
		}
	} else if all, version, err = c.seen(q); err != nil {
		return 0, nil, err
	}
	items, more := []any{}, ""
	for _, o := range all {
		at := place{namespace: o.GetNamespace(), name: o.GetName()}
		if !matches(o) || from.After != "" && at.compare(from.place()) <= 0 {
			continue
		}
		if limit > 0 && len(items) == limit {
			token, _ := json.Marshal(next{version, lastOf(items)}) // of texts and numbers
			more = base64.RawURLEncoding.EncodeToString(token)
			break
		}
		items = append(items, bare(o))
	}
	return http.StatusOK, q.listOf(strconv.FormatUint(version, 10), more, items), nil
}

// bare is an object as lists have it, which leave out what they say once for all.
func bare(o Object) map[string]any {
	item := maps.Clone(o.Object)
	delete(item, "kind")
	delete(item, "apiVersion")
	return item
}

func (q *request) listOf(version, more string, items []any) map[string]any {
	metadata := map[string]any{"resourceVersion": version}
	if more != "" {
		metadata["continue"] = more
	}
	return map[string]any{"kind": q.res.kind + "List", "apiVersion": q.res.apiVersion(),
		"metadata": metadata, "items": items}
}

func (n next) place() place {
	namespace, name, _ := strings.Cut(n.After, "/")
	return place{namespace: namespace, name: name}
}

func lastOf(items []any) string {
	o := unstructured.Unstructured{Object: items[len(items)-1].(map[string]any)}
	return o.GetNamespace() + "/" + o.GetName()
}

// discover answers what is about the API itself: its version, groups and resources.
func discover(url string) (any, error) {
	parts := strings.Split(strings.Trim(url, "/"), "/")
	switch {
	case url == "/version":
		return map[string]any{"major": "1", "minor": "36", "gitVersion": Version}, nil
	case url == "/readyz" || url == "/livez" || url == "/healthz":
		return "ok", nil
	case len(parts) == 2 && parts[0] == "apis":
		if slices.ContainsFunc(resources, func(r *resource) bool { return r.Group == parts[1] }) {
			v1 := metav1.GroupVersionForDiscovery{GroupVersion: parts[1] + "/v1", Version: "v1"}
			return metav1.APIGroup{TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"},
				Name: parts[1], Versions: []metav1.GroupVersionForDiscovery{v1},
				PreferredVersion: v1}, nil
		}
	case len(parts) == 2 && parts[0] == "api", len(parts) == 3 && parts[0] == "apis":
		if list := served(strings.Join(parts[1:], "/")); len(list.APIResources) > 0 {
			return list, nil
		}
	}
	return nil, generic(http.StatusNotFound, "", "404 page not found")
}

// Version is the one that the cluster says it has.
const Version = "v1.36.3"

// served are the resources of a version of an API.
func served(version string) metav1.APIResourceList {
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList",
		APIVersion: "v1"}, GroupVersion: version, APIResources: []metav1.APIResource{}}
	for _, r := range resources {
		if r.apiVersion() == version {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: r.Resource,
				SingularName: strings.ToLower(r.kind), Namespaced: !r.global, Kind: r.kind,
				Verbs: metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch",
					"update", "watch"}})
		}
	}
	return list
}
