// Package pipeline sets up what the demo and the fault tests play on: a GitHub with the access
// repository of testdata/accessrepo, and a cluster that it is for, with the agent's rights and key.
// Paths are from the root of the source tree.
package pipeline

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/kube"
)

// Names of testdata/accessrepo.
const (
	Cluster   = "prod-eu"
	Namespace = "payments"
	Policy    = "payments-debug"
	Alice     = "alice@example.com" // the Kubernetes user of alice
)

// Build builds pullgrant for the tests of a package two folders below the root, and makes the root
// the current folder. The program is alone in a temporary folder, which the caller removes.
func Build() (binary string, err error) {
	dir, err := os.MkdirTemp("", "pullgrant-")
	if err != nil {
		return "", err
	}
	if err := os.Chdir("../.."); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "pullgrant")
	if out, err := exec.Command("go", "build", "-o", binary,
		"./cmd/pullgrant").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pullgrant: %w\n%s", err, out)
	}
	return binary, nil
}

// PrepareCluster makes the namespace, the role that the policy grants and the agent with its
// rights, and returns the configuration of a client who is the agent.
func PrepareCluster(ctx context.Context, cp *kube.ControlPlane) (agent *rest.Config, err error) {
	manifests := fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pullgrant.dev/exec: strict}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %s}
rules:
- {apiGroups: [""], resources: [pods, pods/log, events], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: node-triage}
rules:
- {apiGroups: [""], resources: [nodes, events, persistentvolumes], verbs: [get, list, watch]}
- {apiGroups: [metrics.k8s.io], resources: [nodes, pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: orders-scaler}
rules:
- {apiGroups: [apps], resources: [deployments], verbs: [get, list, watch]}
- {apiGroups: [apps], resources: [deployments/scale], verbs: [get, patch, update]}
---
apiVersion: v1
kind: Namespace
metadata: {name: orders}
---
apiVersion: v1
kind: Namespace
metadata: {name: checkout}
---
apiVersion: v1
kind: Pod
metadata: {name: payments-1, namespace: %[1]s}
spec: {containers: [{name: app, image: app}]}
`, Namespace, Policy)
	if err := cp.Apply(ctx, []byte(manifests)); err != nil {
		return nil, err
	}
	tree, err := policies.ReadTree(os.DirFS("testdata/accessrepo"), "acme")
	if err != nil {
		return nil, err
	}
	grants, findings := tree.Grantable(Cluster)
	if len(findings) > 0 {
		return nil, fmt.Errorf("the access repository: %v", findings)
	}
	if err := cp.Apply(ctx, render.YAML(slices.Concat(render.Fence(),
		render.Rights(render.Footprint{Grants: grants})))); err != nil {
		return nil, err
	}
	if err := cp.AwaitFence(ctx); err != nil {
		return nil, err
	}
	return cp.ServiceAccount(ctx, "pullgrant-system", "pullgrant-agent")
}

// StartForge makes, in the folder dir, the organisation acme with the access repository
// acme/access; files stand in the place of those of testdata/accessrepo.
func StartForge(dir string, options forge.Options, files map[string]string) (*forge.Forge, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := forge.Start(dir, options)
	if err != nil {
		return nil, err
	}
	for i, login := range []string{"alice", "bob", "carol", "dave", "erin"} {
		f.AddUser(login, int64(101+i))
		f.SetPermission(login, "write")
	}
	f.SetPermission("dave", "admin")
	f.AddTeam("squad-a", 1, "", "alice")
	f.AddTeam("squad-b", 2, "", "bob", "carol")
	f.SetTeamPermission("squad-b", "write")
	f.AddApp("pullgrant", 7001)
	f.AddApp("pullgrant-agent", 7002)
	Protect(f)
	all := map[string]string{}
	root := os.DirFS("testdata/accessrepo")
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		all[name] = string(data)
		return err
	})
	maps.Copy(all, files)
	if err == nil {
		_, err = f.Seed(all, "Start the access repository", "dave")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Protect has the forge hold the ruleset of docs/setup.md.
func Protect(f *forge.Forge) {
	rules := forge.DefaultRules()
	rules.Bypass = []string{"pullgrant-agent[bot]"}
	f.Protect(rules)
}

// Entry is what the ledger on main says of a request.
func Entry(f *forge.Forge, name string) (entry requests.Revocation, err error) {
	path := requests.RevocationPath(Cluster, name)
	data, err := exec.Command("git", "-C", f.GitDir(), "show", "main:"+path).Output()
	if err != nil {
		return entry, fmt.Errorf("the ledger has no entry %s: %w", path, err)
	}
	entry, findings := requests.ParseRevocation(path, data)
	if len(findings) > 0 {
		return entry, fmt.Errorf("the ledger's entry: %v", findings)
	}
	return entry, nil
}

// WriteKey makes, in the folder dir, the key that the agent signs its records with, agent.key, and
// the list of signers that audits trust, allowed_signers.
func WriteKey(dir string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "pullgrant-agent")
	if err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	signer := Cluster + " " + string(ssh.MarshalAuthorizedKey(key))
	return errors.Join(os.WriteFile(filepath.Join(dir, "agent.key"), pem.EncodeToMemory(block),
		0o600),
		os.WriteFile(filepath.Join(dir, "allowed_signers"), []byte(signer), 0o644))
}
