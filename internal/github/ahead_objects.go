package github

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

const objectFragment = `fragment found on GitObject {
  __typename oid
  ... on Commit { committedDate parents(first: 100) { totalCount nodes { oid } } tree { ...folder } }
  ... on Tree { ...folder }
  ... on Blob { isTruncated text }
}
fragment folder on Tree { oid entries { name mode oid size } }`

// maxAtOnce bounds how many objects one query asks for.
const maxAtOnce = 100

// withFiles asks for the files of a folder too.
const withFiles = " ... on Tree { entries { object { ... on Blob { oid isTruncated text } } } }"

// readObjects asks at once for git objects, by expressions as git has them: COMMIT, COMMIT:PATH,
// NAME; and for the files that are in the whole one. What git does not name so itself is not
// believed: a folder or a file that does not have its name by its content is not kept, and is read
// by itself.
func (c *Client) readObjects(ctx context.Context, expressions []string, whole ...string) error {
	for some := range slices.Chunk(expressions, maxAtOnce) {
		q := &query{}
		for n, expression := range some {
			files := ""
			if slices.Contains(whole, expression) {
				files = withFiles
			}
			q.part("o%d: object(expression: %s) { ...found%s }", n,
				q.variable("String", expression), files)
		}
		told, ok, err := c.inRepository(ctx, q, objectFragment)
		if err != nil {
			return c.explain(err, "Contents: read", "read git objects")
		}
		if !ok {
			return nil
		}
		for n := range some {
			if o := told.field(fmt.Sprintf("o%d", n)); !o.null() {
				c.takeObject(o, slices.Contains(whole, some[n]))
			}
		}
		if err := *told.wrong; err != nil {
			return fmt.Errorf("read git objects: %w", err)
		}
	}
	return nil
}

// readAll asks at once for the objects of some names that are not remembered.
func (c *Client) readAll(ctx context.Context, names []string) error {
	names = slices.DeleteFunc(slices.Clone(names), c.atHand)
	slices.Sort(names)
	return c.readObjects(ctx, slices.Compact(names))
}

// readBefore asks at once for a commit and those before it along first parents.
func (c *Client) readBefore(ctx context.Context, name string) error {
	if _, ok := c.heldCommit(name); ok || c.objects.has(name) {
		return nil
	}
	expressions := []string{name}
	for n := range maxAtOnce / 4 {
		expressions = append(expressions, fmt.Sprintf("%s~%d", name, n+1))
	}
	return c.readObjects(ctx, expressions)
}

// takeObject keeps one.
func (c *Client) takeObject(o node, files bool) {
	name := o.field("oid").name()
	switch o.field("__typename").text() {
	case "Commit":
		parents, ok := o.field("parents").whole()
		made := commit{tree: c.takeFolder(o.field("tree")), committed: o.field("committedDate").time()}
		for _, parent := range parents {
			made.parents = append(made.parents, parent.field("oid").name())
		}
		if ok && made.tree != "" && *o.wrong == nil {
			c.objects.put(name, made, 100)
		}
	case "Tree":
		c.takeFolder(o)
		if !files {
			return
		}
		for _, e := range o.field("entries").list() {
			file := e.field("object")
			if kindOf(modeOf(e)) == "blob" && !file.null() {
				c.takeFile(file)
			}
		}
	case "Blob":
		c.takeFile(o)
	}
}

// takeFile keeps a file that is told whole.
func (c *Client) takeFile(o node) {
	if o.field("isTruncated").flag() || o.field("text").null() {
		return
	}
	name := o.field("oid").name()
	text, _ := o.field("text").value.(string)
	if data := []byte(text); blobName(data) == name {
		c.objects.put(name, data, len(data)+100)
	}
}

// takeFolder keeps a folder and returns its name, none of one whose entries are not what it is named
// by.
func (c *Client) takeFolder(tree node) string {
	name := tree.field("oid").name()
	folder, size := map[string]entry{}, 0
	entries := tree.field("entries").list()
	for _, e := range entries {
		base, mode := e.field("name").text(), modeOf(e)
		one := entry{mode: mode, kind: kindOf(mode), name: e.field("oid").name(),
			size: int(e.field("size").number())}
		folder[base] = one
		size += len(base) + 100
	}
	if *tree.wrong != nil || len(folder) != len(entries) || folderName(folder) != name {
		return ""
	}
	c.objects.put(name, folder, size)
	return name
}

// modeOf is the mode of an entry in six octal digits.
func modeOf(entry node) string { return fmt.Sprintf("%06o", entry.field("mode").number()) }

// kindOf is the kind of object that an entry of a folder stands for.
func kindOf(mode string) string {
	switch mode {
	case "040000":
		return "tree"
	case "160000":
		return "commit"
	}
	return "blob"
}

// folderName is the name git gives to a folder with these entries, which it sorts as if the name of
// a folder ended in a slash.
func folderName(folder map[string]entry) string {
	sorted := func(base string) string {
		if folder[base].kind == "tree" {
			return base + "/"
		}
		return base
	}
	bases := slices.SortedFunc(maps.Keys(folder), func(a, b string) int {
		return strings.Compare(sorted(a), sorted(b))
	})
	var content []byte
	for _, base := range bases {
		mode, _ := strconv.ParseUint(folder[base].mode, 8, 32)
		name, _ := hex.DecodeString(folder[base].name)
		content = append(fmt.Appendf(content, "%o %s\x00", mode, base), name...)
	}
	return objectName("tree", content)
}

// readPaths asks at once for what judging goes by in the commits of a pull request. Which files
// those are, the folders tell: whatever is not among these is read as it is met.
func (c *Client) readPaths(ctx context.Context, f *policies.Facts, p snapshot) error {
	paths := []string{".github", "docs", policies.Folder, rbac.CatalogFolder, policies.IdentitiesPath,
		policies.GroupsPath, policies.RulesFolder, policies.RotasFolder, policies.CertifiedFolder}
	paths = append(paths, codeowners.Paths...)
	_, asked, _ := policies.KindOf(f.Files)
	place, ok := requests.SplitPath(asked)
	catalog := f.Base.Commit + ":" + rbac.CatalogFolder + "/" + place.Cluster
	if ok {
		cluster := requests.Folder + "/" + place.Cluster
		paths = append(paths, rbac.CatalogFolder+"/"+place.Cluster, policies.Path(place.Policy),
			policies.CertificationPath(place.Policy),
			requests.Folder, cluster, path.Dir(asked), requests.RevocationsFolder,
			requests.RevocationsFolder+"/"+place.Cluster)
	}
	expressions := []string{p.HeadSHA}
	if _, ok := c.heldCommit(f.Base.Commit); !ok {
		expressions = append(expressions, f.Base.Commit)
		for _, one := range paths {
			expressions = append(expressions, f.Base.Commit+":"+one)
		}
	}
	if ok {
		for _, one := range []string{requests.Folder, requests.Folder + "/" + place.Cluster,
			path.Dir(asked), asked} {
			expressions = append(expressions, p.HeadSHA+":"+one)
		}
	}
	if _, ok := c.heldCommit(p.MergeCommitSHA); p.Merged && !ok {
		expressions = append(expressions, p.MergeCommitSHA, p.MergeCommitSHA+"^")
	}
	return c.readObjects(ctx, expressions, catalog, f.Base.Commit+":"+policies.RulesFolder,
		f.Base.Commit+":"+policies.RotasFolder)
}
