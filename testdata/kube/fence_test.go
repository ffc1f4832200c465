package kube

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

const agentUser = "system:serviceaccount:pullgrant-system:pullgrant-agent"

// attempt is one line of a file in testdata/fence; its README says what the fields mean.
type attempt struct {
	Try              string
	As               string
	Create           string
	Patch            string
	Status           string
	Delete           string
	DeleteCollection string
	Edit             edit `yaml:",inline"`
	Namespace        string
	With             map[string]any
	Options          map[string]any
	Fence            string
	RBAC             string
	Policy           string
}

func TestFence(t *testing.T) {
	files, err := filepath.Glob("../fence/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %v: %v", files, err)
	}
	for _, g := range grounds {
		t.Run(g.name, func(t *testing.T) { attempts(t, files, g.raise) })
	}
}

func attempts(t *testing.T, files []string, raise func(*testing.T) *trial) {
	n := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var list struct {
				As       string
				Attempts []attempt
			}
			decoder := yaml.NewDecoder(bytes.NewReader(data))
			decoder.KnownFields(true)
			if err := decoder.Decode(&list); err != nil {
				t.Fatal(err)
			}
			w := raise(t)
			for _, a := range list.Attempts {
				if a.As == "" {
					a.As = list.As
				}
				n++
				number := n
				t.Run(a.Try, func(t *testing.T) {
					on := &trial{T: t, mapper: w.mapper, users: w.users, namespace: w.namespace,
						number: number}
					on.run(a)
				})
			}
		})
	}
}

// trial is the world of one attempt: a namespace with a grant in it.
type trial struct {
	*testing.T
	mapper    meta.RESTMapper
	users     map[string]*rest.Config
	namespace string
	number    int
	request   string // the name of the grant
	job       types.UID
}

func newTrial(t *testing.T, cp *ControlPlane, users map[string]*rest.Config, namespace string,
	number int) *trial {
	t.Helper()
	return &trial{T: t, mapper: cp.mapper, users: users, namespace: namespace, number: number}
}

// to is the door for an object's kind, as that user.
func (w *trial) to(user string, object *unstructured.Unstructured,
	namespace string) dynamic.ResourceInterface {
	w.Helper()
	config, ok := w.users[user]
	if !ok {
		w.Fatalf("there is no user %q", user)
	}
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NoWarnings{} // that batch/v1 orphans is what attempts are about
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		w.Fatal(err)
	}
	if in := object.GetNamespace(); in != "" {
		namespace = in
	}
	kind := object.GroupVersionKind()
	mapping, err := w.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		w.Fatal(err)
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return client.Resource(mapping.Resource)
	}
	return client.Resource(mapping.Resource).Namespace(namespace)
}

// object is one that an attempt is about, before anything is done.
func (w *trial) object(name string) *unstructured.Unstructured {
	w.Helper()
	grant := grantNumber(w.number, w.namespace)
	w.request = grant.Name
	switch name {
	case "job", "held job":
		return jobOf(w.T, grant)
	case "binding", "stripped binding":
		if w.job == "" {
			w.job = w.make("agent", jobOf(w.T, grant)).GetUID()
		}
		return bindingOf(w.T, grant, w.job)
	case "kept role":
		if w.job == "" {
			w.job = w.make("agent", jobOf(w.T, grant)).GetUID()
		}
		return bindingOf(w.T, keptGrant(grant), w.job) // whose first object it is
	}
	if _, is := agentObjects[name]; is {
		job := jobOf(w.T, grant)
		if strings.HasPrefix(name, "home ") {
			w.namespace = requests.GrantsNamespace
			job.SetNamespace(w.namespace)
		}
		if w.job == "" {
			w.job = w.make("agent", job).GetUID()
		}
		return agentObject(w.T, grant, name, w.job)
	}
	text, ok := others[name]
	if !ok {
		w.Fatalf("there is no object %q", name)
	}
	return fromYAML(w.T, strings.ReplaceAll(text, "NAME", fmt.Sprint(w.number)))
}

func (w *trial) make(user string, object *unstructured.Unstructured) *unstructured.Unstructured {
	w.Helper()
	made, err := w.to(user, object, w.namespace).Create(w.Context(), object, metav1.CreateOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return made
}

// stand makes the object that an attempt is on, and for a Job of the agent's the binding it owns.
func (w *trial) stand(name string) *unstructured.Unstructured {
	w.Helper()
	object := w.object(name)
	switch name {
	case "granted role", "rights", "own rights": // they are there
	case "aws-auth":
		w.standAnew(object)
	case "job", "held job":
		w.job = w.make("agent", object).GetUID()
		w.make("agent", w.object("binding"))
	case "binding", "stripped binding":
		w.make("agent", object)
	case "kept role":
		w.make("agent with every right", object)
	default:
		user := "masters"
		if _, is := agentObjects[name]; is {
			user = "agent"
		}
		w.make(user, object)
	}
	patch := map[string]string{
		"held job":         `{"metadata": {"finalizers": ["example.com/hold"]}}`,
		"stripped binding": `{"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}`,
	}[name]
	if patch != "" {
		if _, err := w.to("masters", object, w.namespace).Patch(w.Context(), object.GetName(),
			types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			w.Fatal(err)
		}
	}
	return object
}

func (w *trial) run(a attempt) {
	w.Helper()
	if a.Create != "" {
		w.create(a)
		return
	}
	if a.Edit.Update != "" {
		w.update(a)
		return
	}
	on := a.Patch + a.Status + a.Delete + a.DeleteCollection
	object := w.stand(on)
	as, admin := w.to(a.As, object, w.namespace), w.to("masters", object, w.namespace)
	before := stable(w.T, admin, object.GetName())
	var err error
	switch {
	case a.Patch != "":
		_, err = as.Patch(w.Context(), object.GetName(), types.MergePatchType, w.json(a.With),
			metav1.PatchOptions{})
	case a.Status != "":
		_, err = as.Patch(w.Context(), object.GetName(), types.MergePatchType, w.json(a.With),
			metav1.PatchOptions{}, "status")
	case a.Delete != "":
		err = as.Delete(w.Context(), object.GetName(), w.options(a))
	default:
		err = as.DeleteCollection(w.Context(), w.options(a),
			metav1.ListOptions{LabelSelector: render.LabelRequest + "=" + w.request})
	}
	if w.judge(a, err) {
		w.unchanged(admin, object.GetName(), before)
		return
	}
	if _, is := agentObjects[a.Delete]; is {
		eventually(w.T, 20*time.Second, "it is gone", func(context.Context) (bool, error) {
			return stable(w.T, admin, object.GetName()) == nil, nil
		})
		return
	}
	if a.Delete+a.DeleteCollection != "" && w.job != "" {
		binding := w.object("binding")
		eventually(w.T, 20*time.Second, "the binding is gone", func(context.Context) (bool, error) {
			return stable(w.T, w.to("masters", binding, w.namespace), binding.GetName()) == nil, nil
		})
	}
}

func (w *trial) create(a attempt) {
	w.Helper()
	object := w.object(a.Create)
	object.Object = merge(object.Object, a.With)
	namespace := w.namespace
	if a.Namespace != "" {
		namespace = a.Namespace
		object.SetNamespace(namespace)
	}
	name := object.GetName()
	_, err := w.to(a.As, object, namespace).Create(w.Context(), object, metav1.CreateOptions{})
	if w.judge(a, err) && name != "" && name != render.Agent && stable(w.T, w.to("masters", object,
		namespace), name) != nil {
		w.Error("it was refused, and is there")
	}
}
