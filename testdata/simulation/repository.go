package simulation

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// beginning is the access repository that a world begins with, but for its catalogue. Its policies
// are for prod-eu, which stands for all clusters.
//
//go:embed all:repository
var beginning embed.FS

// stands are the objects of each cluster before anybody asks.
//
//go:embed stands.yaml
var stands []byte

// install gives each cluster what its agent needs, as "pullgrant install" prints it from the
// policies, and returns the files of the access repository.
func install(sites []*site) (map[string]string, error) {
	tree, err := written(sites)
	if err != nil {
		return nil, err
	}
	for _, s := range sites {
		if err := s.catalogue(tree); err != nil {
			return nil, err
		}
	}
	files := map[string]string{}
	for path, file := range tree.Files {
		files[path] = file.Content
	}
	for _, s := range sites {
		grants, findings := tree.Grantable(s.name)
		if len(findings) > 0 {
			return nil, fmt.Errorf("the policies are not valid: %v", findings)
		}
		s.installed = render.YAML(render.Install(render.Footprint{Cluster: s.name, Grants: grants,
			AWSAuth: s.aws, Image: "example.com/pullgrant:v1"}))
		if err := s.Apply(s.installed); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// written are the files of the repository, for these clusters.
func written(sites []*site) (policies.Tree, error) {
	var names []string
	for _, s := range sites {
		names = append(names, s.name)
	}
	tree := policies.Tree{Files: map[string]policies.TreeFile{}}
	root, err := fs.Sub(beginning, "repository")
	if err != nil {
		return tree, err
	}
	return tree, fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		put(tree, path, strings.ReplaceAll(string(data), "clusters: ["+clusterName+"]",
			"clusters: ["+strings.Join(names, ", ")+"]"))
		return err
	})
}

// catalogue adds what approvers see of the roles that policies give, read in the cluster as
// "pullgrant catalog" reads them.
func (s *site) catalogue(tree policies.Tree) error {
	roles := map[string]bool{}
	for path, file := range tree.Files {
		if policy, findings := policies.ParsePolicy(path, []byte(file.Content)); len(findings) == 0 {
			for _, role := range policy.Roles() {
				roles[role] = true
			}
		}
	}
	found, missing, err := kube.LiveRoles(context.Background(), &rest.Config{Host: "http://" + s.host(),
		Transport: administrator{s}}, s.name, slices.Sorted(maps.Keys(roles)))
	if err != nil || len(missing) > 0 {
		return errors.Join(err, fmt.Errorf("these roles are missing: %q", missing))
	}
	for _, role := range found {
		data, err := role.Encode()
		if err != nil {
			return err
		}
		put(tree, rbac.CatalogPath(s.name, role.Spec.Role.Name), string(data))
	}
	return nil
}

func put(tree policies.Tree, path, content string) {
	tree.Files[path] = policies.NewTreeFile(policies.PlainFile, "", []byte(content), int64(len(content)))
}

// administrator carries calls of one to a cluster.
type administrator struct{ *site }

// RoundTrip has the cluster answer at once.
func (a administrator) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(cluster.UserHeader, cluster.Admin)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	a.ServeHTTP(answer, r)
	return answer.Result(), nil
}
