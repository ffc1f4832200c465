package render

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// Kustomization writes objects as a kustomize base: each file by its name, kustomization.yaml and
// one a kind.
func Kustomization(objects []Object) map[string][]byte {
	base := types.Kustomization{TypeMeta: types.TypeMeta{APIVersion: types.KustomizationVersion,
		Kind: types.KustomizationKind}}
	kinds := map[string][]Object{}
	for _, object := range objects {
		file := strings.ToLower(object.GetObjectKind().GroupVersionKind().Kind) + ".yaml"
		kinds[file] = append(kinds[file], object)
		if !slices.Contains(base.Resources, file) {
			base.Resources = append(base.Resources, file)
		}
	}
	files := map[string][]byte{"kustomization.yaml": YAML([]types.Kustomization{base})}
	for file, of := range kinds {
		files[file] = YAML(of)
	}
	return files
}
