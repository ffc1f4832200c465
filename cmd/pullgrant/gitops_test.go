package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
)

// TestGitOps holds the examples to the folder that install writes: they apply it, take away what it
// has no more, and leave the agent where they are taken away themselves.
func TestGitOps(t *testing.T) {
	type object struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Finalizers []string }
		Spec       struct {
			Source struct {
				RepoURL, Path  string
				TargetRevision string `yaml:"targetRevision"`
			}
			SyncPolicy struct {
				Automated struct{ Prune bool }
			} `yaml:"syncPolicy"`
			SourceRef      struct{ Kind, Name string } `yaml:"sourceRef"`
			Path           string
			Prune          bool
			DeletionPolicy string `yaml:"deletionPolicy"`
		}
	}
	folder := path.Dir(policies.InstalledPath("prod-eu"))
	read := func(name string) (all []object) {
		data, err := os.ReadFile(filepath.Join(top, "docs/gitops", name))
		if err != nil {
			t.Fatal(err)
		}
		for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
			var o object
			if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
				return all
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, o)
		}
	}
	argo := read("argocd.yaml")
	if len(argo) != 1 || argo[0].Kind != "Application" || argo[0].Spec.Source.Path != folder ||
		argo[0].Spec.Source.TargetRevision != "main" || !argo[0].Spec.SyncPolicy.Automated.Prune ||
		len(argo[0].Metadata.Finalizers) > 0 {
		t.Errorf("argocd.yaml: %+v", argo)
	}
	flux := read("flux.yaml")
	if len(flux) != 2 || flux[0].Kind != "GitRepository" || flux[1].Kind != "Kustomization" ||
		!strings.HasPrefix(flux[1].APIVersion, "kustomize.toolkit.fluxcd.io/") ||
		flux[1].Spec.SourceRef.Kind != flux[0].Kind || flux[1].Spec.Path != "./"+folder ||
		!flux[1].Spec.Prune || flux[1].Spec.DeletionPolicy != "Orphan" {
		t.Errorf("flux.yaml: %+v", flux)
	}
}

// TestGitOpsRuns runs what docs/gitops shows, in a new access repository.
func TestGitOpsRuns(t *testing.T) {
	runShown(t, "docs/gitops/README.md", "exec pullgrant init access --action pullgrant/pullgrant@"+
		strings.Repeat("0123456789", 4)+"\ncd access\ncp ../shown.sh shown.sh\n",
		"stderr 'wrote 13 files to .*install/prod-eu'\nstderr '^checked 7 files, no findings$'\n")
}
