package render_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/pullgrant/pullgrant/render"
)

// TestKustomization has kustomize build the base: it makes the objects that install prints, and what
// is noted in the base reaches none of them.
func TestKustomization(t *testing.T) {
	objects := render.Install(render.Footprint{Cluster: "prod-eu", Image: "x", ExecAudit: []string{
		"10.0.0.0/24"}})
	noted := map[string]string{"pullgrant.dev/flags": "--image=x\n--poll=30s", "pullgrant.dev/grants": "sha256:0"}
	files := render.Kustomization(objects, noted)
	built := filesys.MakeFsInMemory()
	for name, data := range files {
		if err := built.WriteFile("/base/"+name, data); err != nil {
			t.Fatal(err)
		}
	}
	result, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(built, "/base")
	if err != nil {
		t.Fatal(err)
	}
	text, err := result.AsYaml()
	if err != nil || result.Size() != len(objects) ||
		strings.Contains(string(text), "sha256:0") {
		t.Errorf("%d objects of %d, error %v:\n%s", result.Size(), len(objects), err, text)
	}
	annotations, names, err := render.Kustomized(files[render.KustomizationFile])
	delete(files, render.KustomizationFile)
	if want := slices.Sorted(maps.Keys(files)); err != nil || !maps.Equal(annotations, noted) ||
		!slices.Equal(slices.Sorted(slices.Values(names)), want) {
		t.Errorf("%v, %v, error %v; want %v, %v", annotations, names, err, noted, want)
	}
	if _, _, err := render.Kustomized([]byte("{")); err == nil {
		t.Error("half a file is read")
	}
}
