package kube

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
)

func init() { maps.Copy(others, configMaps) }

// configMaps are the objects of attempts on what keeps aws-auth. Those that stand once are made
// anew for each attempt.
var configMaps = map[string]string{
	"aws-auth": `
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data:
  mapRoles: |
    - rolearn: arn:aws:iam::111122223333:role/nodes
      username: system:node:{{EC2PrivateDNSName}}
      groups: [system:bootstrappers, system:nodes]
  mapUsers: |
    # who may come in
    - userarn: arn:aws:iam::111122223333:user/bob
      username: bob
      groups:
      - system:masters
    - userarn: arn:aws:iam::111122223333:user/dave # pullgrant 20261127-dave-inc-1
      username: "dave@example.com"
`,
	"aws-auth elsewhere": `
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth}`,
	"config map": `
apiVersion: v1
kind: ConfigMap
metadata: {name: plain-NAME}`,
	"other config map": `
apiVersion: v1
kind: ConfigMap
metadata: {name: fence-other, namespace: kube-system}`,
	"record": `
apiVersion: v1
kind: ConfigMap
metadata: {name: pullgrant-fence-record, namespace: pullgrant-system}`,
}

// edit is what an attempt does to aws-auth.
type edit struct {
	Update  string            // the object
	Set     bool              // `with` is the edit, and not what it is done to
	List    *string           // mapUsers, before it
	Append  string            // to mapUsers
	Replace map[string]string // in mapUsers
}

// awsUsers adds what keeps aws-auth to the users of attempts.
func awsUsers(t *testing.T, cp *ControlPlane, users map[string]*rest.Config) {
	t.Helper()
	if err := cp.AwaitAWSFence(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if users["aws"], err = cp.ServiceAccount(t.Context(), "pullgrant-system",
		render.AWS); err != nil {
		t.Fatal(err)
	}
	users["aws with every right"] = cp.User("system:serviceaccount:pullgrant-system:"+render.AWS,
		"system:masters")
}

// standAnew makes an object of configMaps, in place of that of the attempt before.
func (w *trial) standAnew(object *unstructured.Unstructured) {
	w.Helper()
	admin := w.to("masters", object, w.namespace)
	err := admin.Delete(w.Context(), object.GetName(), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		w.Fatal(err)
	}
	w.make("masters", object)
}

// update replaces an object by another one of its name.
func (w *trial) update(a attempt) {
	w.Helper()
	object := w.object(a.Edit.Update)
	if a.Edit.List != nil {
		w.set(object, *a.Edit.List)
	}
	if !a.Edit.Set {
		object.Object = merge(object.Object, a.With)
	}
	w.standAnew(object)
	admin := w.to("masters", object, w.namespace)
	object, err := admin.Get(w.Context(), object.GetName(), metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	before := stable(w.T, admin, object.GetName())
	if a.Edit.Set {
		object.Object = merge(object.Object, a.With)
	}
	list, _, _ := unstructured.NestedString(object.Object, "data", render.MapUsers)
	for old, text := range a.Edit.Replace {
		if !strings.Contains(list, old) {
			w.Fatalf("%q is not in %q", old, list)
		}
		list = strings.Replace(list, old, text, 1)
	}
	if a.Edit.Append != "" || a.Edit.Replace != nil {
		w.set(object, list+a.Edit.Append)
	}
	_, err = w.to(a.As, object, w.namespace).Update(w.Context(), object, metav1.UpdateOptions{})
	if w.judge(a, err) {
		w.unchanged(admin, object.GetName(), before)
	}
}

func (w *trial) set(object *unstructured.Unstructured, list string) {
	w.Helper()
	if err := unstructured.SetNestedField(object.Object, list, "data",
		render.MapUsers); err != nil {
		w.Fatal(err)
	}
}

// unchanged holds that an object is as it was before an attempt that was refused.
func (w *trial) unchanged(admin dynamic.ResourceInterface, name string, before map[string]any) {
	w.Helper()
	if after := stable(w.T, admin, name); !reflect.DeepEqual(after, before) {
		w.Errorf("it was refused, and has changed\nbefore %v\nafter  %v", before, after)
	}
}

// TestAWSFenceOnALongList: the API server bounds what a policy may cost, and refuses what costs
// more. A list of 500 people, 100 of them pullgrant's, is well below that.
func TestAWSFenceOnALongList(t *testing.T) {
	cp := ForTest(t)
	namespace := newNamespace(t, cp, "fence")
	w := newTrial(t, cp, raiseFence(t, cp, namespace), namespace, 1)
	entry := func(name, mark string) string {
		return "- userarn: arn:aws:iam::111122223333:user/teams/platform/" + name + mark +
			"\n  username: \"" +
			name + "@example.com\"\n"
	}
	var list strings.Builder
	for i := range 500 {
		mark := ""
		if i%5 == 0 {
			mark = " # pullgrant 20261127-somebody-inc-1"
		}
		list.WriteString(entry(fmt.Sprintf("somebody%d", i), mark))
	}
	long, first := list.String(), entry("somebody0", " # pullgrant 20261127-somebody-inc-1")
	for try, e := range map[string]edit{
		"add":    {Append: entry("alice", " # pullgrant 20261127-alice-inc-1")},
		"remove": {Replace: map[string]string{first: ""}},
		"mark":   {Replace: map[string]string{"20261127-somebody-inc-1": "20261127-somebody-inc-2"}},
	} {
		e.Update, e.List = "aws-auth", &long
		w.run(attempt{Try: try, As: "aws", Edit: e})
	}
	e := edit{Update: "aws-auth", List: &long, Append: entry("alice", "")}
	w.run(attempt{Try: "add without a mark", As: "aws", Edit: e, Fence: "it may add one entry"})
}
