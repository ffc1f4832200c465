package policies

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// InstallFolder is where an access repository can keep what "pullgrant install" renders, a folder a
// cluster. It decides about no request: the cluster goes by what was applied.
const InstallFolder = "install"

// GrantsAnnotation is in the kustomization of a cluster's folder: for which grants it was rendered.
const GrantsAnnotation = "pullgrant.dev/grants"

// RuleInstall is the rule of Check about a folder under install/ that the policies have left behind.
const RuleInstall = "install-stale"

// InstalledPath is the one file of a cluster's folder that is read here.
func InstalledPath(cluster string) string {
	return InstallFolder + "/" + cluster + "/kustomization.yaml"
}

// isInstalled tells whether a path is an InstalledPath.
func isInstalled(p string) bool {
	cluster := path.Base(path.Dir(p))
	return isUnder(p, InstallFolder) && p == InstalledPath(cluster)
}

// leadsToInstalled tells whether a path is an InstalledPath or a folder above one, and no other file
// that is as large.
func leadsToInstalled(p string) bool {
	return isInstalled(p) || p == InstallFolder || path.Dir(p) == InstallFolder
}

// installedFiles are all of a file system.
func installedFiles(fsys fs.FS) ([]string, error) {
	all, err := filesBelow(fsys, InstallFolder)
	return slices.DeleteFunc(all, func(name string) bool { return !isInstalled(name) }), err
}

// GrantsDigest is the value of GrantsAnnotation for what the policies let people ask for in a
// cluster, and for whether its agent tells channels of that. What the agent needs there follows from
// these, and from flags.
func GrantsDigest(items []requests.Item, channels bool) string {
	var lines []string
	if channels {
		lines = append(lines, "channels")
	}
	for _, i := range items {
		data, _ := json.Marshal(i) // strings and lists always encode
		lines = append(lines, string(data))
	}
	sum := sha256.Sum256([]byte(strings.Join(sorted(lines), "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

var grantsPattern = regexp.MustCompile(`(?m)^\s+` + regexp.QuoteMeta(GrantsAnnotation) +
	`: "?(sha256:[0-9a-f]{64})"?$`)

// checkInstalled finds the folders under install/ that were rendered for other policies. Of policies
// that are not valid nobody knows what they need.
func (t Tree) checkInstalled() (findings []requests.Finding) {
	for _, name := range sortedKeys(t.Files) {
		if !isInstalled(name) {
			continue
		}
		cluster := path.Base(path.Dir(name))
		items, invalid := t.Grantable(cluster)
		if len(invalid) > 0 {
			return nil
		}
		content := t.Files[name].Content
		f := requests.Finding{File: name, Line: 1, Column: 1, Rule: RuleInstall}
		at := grantsPattern.FindStringSubmatchIndex(content)
		switch {
		case len(items) == 0:
			f.Message = fmt.Sprintf("no policy is for the cluster %s; take %s/%s/ away, after "+
				"\"pullgrant install --uninstall\" there", requests.Quote(cluster), InstallFolder, cluster)
		case at != nil && content[at[2]:at[3]] == GrantsDigest(items, len(t.AgentChannels(cluster)) > 0):
			continue
		default:
			if at != nil {
				f.Line = 1 + strings.Count(content[:at[2]], "\n")
			}
			f.Message = fmt.Sprintf("it was rendered for other policies, so the agent has other rights "+
				"in %s than it needs; run \"pullgrant install --write --cluster %s\" and commit %s/%s/",
				cluster, cluster, InstallFolder, cluster)
		}
		findings = append(findings, f)
	}
	return findings
}
