package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// Where something runs, and the Deployment of which the pods are that come and go. One pod has its
// labels and is none of its, and one stays.
const (
	runsIn   = "orders"
	deployed = "orders-api"
	wears    = "orders-like"
	stays    = "orders-db-0"
)

// work starts what runs in a cluster: there is nobody there who does.
func (s *site) work() error {
	spec := map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": deployed}},
		"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": deployed}},
			"spec": podSpec}}
	owner, err := s.launch("/apis/apps/v1", "Deployment", deployed, spec, nil)
	if err != nil {
		return err
	}
	if s.set, err = s.launch("/apis/apps/v1", "ReplicaSet", deployed+"-rs", spec, owner); err != nil {
		return err
	}
	for _, pod := range []struct {
		name  string
		owner *metav1.OwnerReference
	}{{s.nextPod(), s.set}, {s.nextPod(), s.set}, {wears, nil}, {stays, nil}} {
		if _, err := s.launch("/api/v1", "Pod", pod.name, podSpec, pod.owner); err != nil {
			return err
		}
	}
	return nil
}

// podSpec is what every pod does.
var podSpec = map[string]any{"nodeName": "here", "containers": []any{map[string]any{"name": "proxy", "image": "none"},
	map[string]any{"name": "app", "image": "none"}}}

// nextPod is the name of the next pod of the Deployment.
func (s *site) nextPod() string {
	s.pods++
	return fmt.Sprintf("%s-%d", deployed, s.pods)
}

// launch makes something that runs, and returns it as an owner.
func (s *site) launch(api, kind, name string, spec any, owner *metav1.OwnerReference) (
	*metav1.OwnerReference, error) {
	meta := map[string]any{"name": name, "labels": map[string]any{"app": deployed},
		"annotations": map[string]any{"kubectl.kubernetes.io/default-container": "app"}}
	if owner != nil {
		meta["ownerReferences"] = []any{owner}
	}
	body, err := json.Marshal(map[string]any{"metadata": meta, "spec": spec})
	if err != nil {
		return nil, err
	}
	answer, err := s.asked(http.MethodPost, fmt.Sprintf("%s/namespaces/%s/%ss", api, runsIn,
		strings.ToLower(kind)), body)
	if err != nil {
		return nil, err
	}
	var made metav1.PartialObjectMetadata
	if err := json.Unmarshal(answer, &made); err != nil {
		return nil, err
	}
	yes := true
	return &metav1.OwnerReference{APIVersion: "apps/v1", Kind: kind, Name: name, UID: made.UID,
		Controller: &yes}, nil
}

// roll has a pod of the Deployment be replaced by another one, in a cluster by chance.
func (w *world) roll(o occasion) error {
	s := w.sites[w.below(len(w.sites), o.name+" where")]
	old := fmt.Sprintf("%s-%d", deployed, s.pods-w.below(2, o.name+" which"))
	if _, err := s.launch("/api/v1", "Pod", s.nextPod(), podSpec, s.set); err != nil {
		return err
	}
	return s.byHand(http.MethodDelete, "/api/v1/namespaces/"+runsIn+"/pods/"+old, nil)
}

// ofDeployment tells whether a pod is one of the Deployment's.
func ofDeployment(pod cluster.Object) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "ReplicaSet" && owner.Name == deployed+"-rs"
}
