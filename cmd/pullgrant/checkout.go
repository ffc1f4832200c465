package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

// checkout is an access repository in a folder.
type checkout struct {
	dir string // as --dir gave it, empty for the one around the current folder
}

func (c *checkout) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.dir, "dir", "", "checkout of the access repository (default: the "+
		"one around the current folder)")
	_ = cmd.MarkFlagDirname("dir")
}

// open returns the repository's folder and its files. Links cannot lead out of it.
func (c checkout) open() (string, fs.FS, error) {
	dir, err := c.folder()
	if err != nil {
		return "", nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", nil, fmt.Errorf("open the access repository: %w", err)
	}
	return dir, root.FS(), nil
}

// folder finds the nearest folder, from the current one up, that is a git checkout or holds
// policies.
func (c checkout) folder() (string, error) {
	if c.dir != "" {
		if info, err := os.Stat(c.dir); err != nil {
			return "", fmt.Errorf("open the access repository: %w", err)
		} else if !info.IsDir() {
			return "", fmt.Errorf("open the access repository: %s is no folder", c.dir)
		}
		return c.dir, nil
	}
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the access repository: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		for _, mark := range []string{".git", policies.Folder} {
			if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
				return dir, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the access repository: %s is not in one; go into a "+
				"checkout, or name one with --dir", start)
		}
	}
}

// inside turns paths a person typed into paths of the repository in dir: relative to the current
// folder, or to --dir where that was given.
func (c checkout) inside(dir string, paths []string) ([]string, error) {
	result := make([]string, 0, len(paths))
	for _, path := range paths {
		relative := path
		if c.dir == "" || filepath.IsAbs(path) {
			root, err := filepath.Abs(dir)
			if err != nil {
				return nil, fmt.Errorf("find %s: %w", path, err)
			}
			full, err := filepath.Abs(path)
			if err != nil {
				return nil, fmt.Errorf("find %s: %w", path, err)
			}
			if relative, err = filepath.Rel(root, full); err != nil {
				return nil, fmt.Errorf("find %s: %w", path, err)
			}
		}
		relative = filepath.ToSlash(filepath.Clean(relative))
		if !fs.ValidPath(relative) {
			return nil, fmt.Errorf("find %s: it lies outside the access repository %s", path, dir)
		}
		result = append(result, relative)
	}
	return result, nil
}

// ownerOf is whose the repository in dir is, by its remote origin; empty where it has none. A
// folder inside another repository has no origin of its own.
func ownerOf(dir string) string {
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err != nil {
		return ""
	}
	// Nothing is refused for want of git or of an origin; GitHub's own answer decides.
	_, repo, _ := originOf(context.Background(), dir)
	owner, _, _ := strings.Cut(repo, "/")
	return owner
}

// tree reads the policies of the checkout, as they stand in its folder.
func (c checkout) tree() (policies.Tree, error) {
	dir, files, err := c.open()
	if err != nil {
		return policies.Tree{}, err
	}
	tree, err := policies.ReadTree(files, ownerOf(dir))
	if err != nil {
		return tree, fmt.Errorf("read the policies in %s: %w", dir, err)
	}
	return tree, nil
}

// writeFile writes a file of the repository in place, in a folder that may be new.
func writeFile(root *os.Root, name string, data []byte) error {
	err := root.MkdirAll(path.Dir(name), 0o755)
	if err == nil {
		err = root.WriteFile(name, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
