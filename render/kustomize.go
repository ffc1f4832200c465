package render

import (
	"encoding/json"
	"fmt"
	"path"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// root is the folder of a build. It exists in memory only.
const root = "/grant"

// build runs one kustomize build over the objects of one grant, adds labels and annotations, and
// gives each resulting object as JSON in the order of its input. One build a grant, because
// kustomize's time is quadratic in resources.
//
// kustomize fetches URLs and runs git for some entries of a kustomization, and its transformers can
// move a subject to another namespace. So the kustomization is made here from nothing but the two
// maps, and lists only files made here. Everything is written as JSON, which YAML readers take as
// it is: no text can become a number, a truth value or a key.
func build(objects []Object, labels, annotations map[string]string) ([][]byte, error) {
	files := filesys.MakeFsInMemory()
	kustomization := types.Kustomization{
		TypeMeta: types.TypeMeta{APIVersion: types.KustomizationVersion,
			Kind: types.KustomizationKind},
		Labels:            []types.Label{{Pairs: labels}},
		CommonAnnotations: annotations,
	}
	for i, object := range objects {
		name := fmt.Sprintf("object-%d.yaml", i)
		if err := write(files, name, object); err != nil {
			return nil, err
		}
		kustomization.Resources = append(kustomization.Resources, name)
	}
	if err := write(files, "kustomization.yaml", kustomization); err != nil {
		return nil, err
	}
	result, err := krusty.MakeKustomizer(&krusty.Options{
		Reorder:          krusty.ReorderOptionNone,
		LoadRestrictions: types.LoadRestrictionsRootOnly,
		PluginConfig:     types.DisabledPluginConfig(),
	}).Run(files, root)
	if err != nil {
		return nil, fmt.Errorf("build with kustomize: %w", err)
	}
	output := make([][]byte, 0, len(objects))
	for _, resource := range result.Resources() {
		data, _ := resource.MarshalJSON() // what cannot be written is no object of a grant
		output = append(output, data)
	}
	return output, nil
}

func write(files filesys.FileSystem, name string, content any) error {
	data, err := json.Marshal(content)
	if err == nil {
		err = files.WriteFile(path.Join(root, name), data)
	}
	if err != nil {
		return fmt.Errorf("write %s for kustomize: %w", name, err)
	}
	return nil
}
