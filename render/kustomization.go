package render

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
)

// KustomizationFile is the name of the file by which kustomize knows a base.
const KustomizationFile = "kustomization.yaml"

// Kustomization writes objects as a kustomize base: each file by its name, KustomizationFile and
// one a kind. annotations are of the former, for whoever reads it; kustomize adds them to no object.
func Kustomization(objects []Object, annotations map[string]string) map[string][]byte {
	base := types.Kustomization{TypeMeta: types.TypeMeta{APIVersion: types.KustomizationVersion,
		Kind: types.KustomizationKind}}
	if len(annotations) > 0 {
		base.MetaData = &types.ObjectMeta{Annotations: annotations}
	}
	kinds := map[string][]Object{}
	for _, object := range objects {
		file := strings.ToLower(object.GetObjectKind().GroupVersionKind().Kind) + ".yaml"
		kinds[file] = append(kinds[file], object)
		if !slices.Contains(base.Resources, file) {
			base.Resources = append(base.Resources, file)
		}
	}
	files := map[string][]byte{KustomizationFile: YAML([]types.Kustomization{base})}
	for file, of := range kinds {
		files[file] = YAML(of)
	}
	return files
}

// Kustomized reads what Kustomization wrote into KustomizationFile: the annotations, and the names of
// the other files.
func Kustomized(data []byte) (annotations map[string]string, files []string, err error) {
	var base struct {
		Metadata  struct{ Annotations map[string]string }
		Resources []string
	}
	if err := yaml.Unmarshal(data, &base); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", KustomizationFile, err)
	}
	return base.Metadata.Annotations, base.Resources, nil
}
