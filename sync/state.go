package sync

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// Namespace is where the agent lives and keeps its state.
const Namespace = requests.AgentNamespace

// Phase is how far a grant has come.
type Phase string

// Phases of a grant. Each is written before what it announces is relied on: Granting before the first binding is created,
// Granted when the UIDs of all are known, Ending before one is deleted for a cause that cannot be told afterwards, Ended when
// none is left.
const (
	Granting Phase = "Granting"
	Granted  Phase = "Granted"
	Ending   Phase = "Ending"
	Ended    Phase = "Ended"
)

// Record is what the agent remembers of one grant, as a ConfigMap, until the ledger has it.
type Record struct {
	Phase   Phase
	Grant   requests.Grant
	Request []byte            // the request file, for the ledger entry; empty when it is no readable request
	Facts   []byte            // what it was judged by, for the ledger; empty when that was not kept
	Objects []Object          // as objectsOf has them; Jobs come first
	Roles   map[string]string // by role of the grant, a digest of its rules when it was granted

	Cause   string // of an Ending or Ended grant; "" while it is being found out who removed the request
	Code    string // of a refusal
	EndedAt requests.Time

	version string // the ConfigMap's resource version; "" when it does not exist yet
}

// Object is one object of a grant: a binding, or the Job that is its backstop.
type Object struct {
	Kind         string `json:"kind"`
	Namespace    string `json:"namespace"`
	Name         string `json:"name"`
	NamespaceUID string `json:"namespaceUID"` // read before anything was created
	UID          string `json:"uid,omitempty"`
	Content      string `json:"content"` // digest of what was created; of a binding, "" until it is about to be made
}

// place is where it stands, and nothing else of it.
func (o Object) place() Object { return Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name} }

// isBinding tells what gives access from what only ends it.
func (o Object) isBinding() bool { return o.Kind == render.KindRoleBinding }

// objectsOf names the objects of a grant in the order in which they are made: the Jobs, one a namespace, then the bindings
// that they own. Without a backstop, where the policy lets that be, there are bindings only.
func objectsOf(g requests.Grant, backstop bool) (objects []Object) {
	if backstop {
		for _, namespace := range g.Namespaces() {
			objects = append(objects, Object{Kind: render.KindJob, Namespace: namespace, Name: requests.ObjectName(g.Name, 0)})
		}
	}
	for i, b := range g.Items {
		objects = append(objects, Object{Kind: render.KindRoleBinding, Namespace: b.Namespace, Name: requests.ObjectName(g.Name, i)})
	}
	return objects
}

// of tells whether objects are those, whatever is known of each.
func of(objects, those []Object) bool {
	return slices.EqualFunc(objects, those, func(a, b Object) bool { return a.place() == b.place() })
}

// configMap writes the record. The request's bytes go where any bytes may stand.
func (r Record) configMap() (*corev1.ConfigMap, error) {
	grant, err := json.Marshal(r.Grant)
	if err != nil {
		return nil, fmt.Errorf("write the record of %s: %w", r.Grant.Name, err)
	}
	objects, err := json.Marshal(r.Objects)
	if err != nil {
		return nil, fmt.Errorf("write the record of %s: %w", r.Grant.Name, err)
	}
	roles, err := json.Marshal(r.Roles)
	if err != nil {
		return nil, fmt.Errorf("write the record of %s: %w", r.Grant.Name, err)
	}
	data := map[string]string{"phase": string(r.Phase), "grant": string(grant), "objects": string(objects), "roles": string(roles)}
	if r.Phase == Ending || r.Phase == Ended {
		data["cause"], data["code"] = r.Cause, r.Code
	}
	if r.Phase == Ended {
		data["endedAt"] = r.EndedAt.String()
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: Namespace, Name: requests.ObjectName(r.Grant.Name, 0), ResourceVersion: r.version,
			Labels: map[string]string{
				render.LabelManagedBy: render.ManagedBy,
				render.LabelRequest:   requests.LabelValue(r.Grant.Name),
				render.LabelCluster:   requests.LabelValue(r.Grant.Cluster),
			},
		},
		Data:       data,
		BinaryData: map[string][]byte{"request": r.Request, "facts": r.Facts},
	}, nil
}

// readRecord reads what configMap wrote.
func readRecord(m *corev1.ConfigMap) (Record, error) {
	r := Record{Phase: Phase(m.Data["phase"]), Request: m.BinaryData["request"], Facts: m.BinaryData["facts"], Cause: m.Data["cause"], Code: m.Data["code"],
		version: m.ResourceVersion}
	errs := []error{json.Unmarshal([]byte(m.Data["grant"]), &r.Grant), json.Unmarshal([]byte(m.Data["objects"]), &r.Objects),
		json.Unmarshal([]byte(m.Data["roles"]), &r.Roles)}
	switch r.Phase {
	case Granting, Granted, Ending:
		if r.Grant.Window.End.IsZero() {
			errs = append(errs, errors.New("the grant has no end"))
		}
		if !of(r.Objects, objectsOf(r.Grant, true)) && !(r.Grant.BackstopOptional && of(r.Objects, objectsOf(r.Grant, false))) {
			errs = append(errs, errors.New("its objects are not those of the grant"))
		}
	case Ended:
		errs = append(errs, r.EndedAt.UnmarshalText([]byte(m.Data["endedAt"])))
	default:
		errs = append(errs, fmt.Errorf("phase %s", requests.Quote(m.Data["phase"])))
	}
	if r.Cause != "" && !slices.Contains(requests.Causes, r.Cause) || strings.ContainsFunc(r.Code, func(c rune) bool { return !unicode.IsLetter(c) }) {
		errs = append(errs, errors.New("its cause or code is none")) // both become lines of a commit message
	}
	for i, o := range r.Objects { // a name that no call can be made with must not hold up those of others
		if requests.CheckName(o.Namespace) != "" || !slices.ContainsFunc(objectsOf(r.Grant, true), func(of Object) bool { return of.Kind == o.Kind && of.Name == o.Name }) {
			errs = append(errs, fmt.Errorf("its object %d is one that none has", i+1))
		}
	}
	if _, ok := requests.SplitPath(r.Grant.Path); !ok || requests.ObjectName(r.Grant.Name, 0) != m.Name {
		errs = append(errs, errors.New("the grant is another one's"))
	}
	if err := errors.Join(errs...); err != nil {
		return r, fmt.Errorf("read ConfigMap %s/%s: %w; its bindings are taken back; delete it to have the request judged again",
			m.Namespace, m.Name, err)
	}
	return r, nil
}
