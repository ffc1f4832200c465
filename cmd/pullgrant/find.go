package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// find returns the path in the repository, whose folder and files are given, of a request that a
// person named: by its name, or by its file.
func (c checkout) find(dir string, files fs.FS, request string) (string, error) {
	if strings.HasSuffix(request, ".yaml") {
		paths, err := c.inside(dir, []string{request})
		if err != nil {
			return "", err
		}
		if _, ok := requests.SplitPath(paths[0]); !ok {
			return "", fmt.Errorf("look for the request: %s is none; a request stands at "+
				"%s/<cluster>/<policy>/<yyyymmdd>-<requester>-<slug>.yaml", paths[0],
				requests.Folder)
		}
		return paths[0], nil
	}
	var found []string
	err := fs.WalkDir(files, requests.Folder, func(path string, _ fs.DirEntry, err error) error {
		if place, ok := requests.SplitPath(path); err == nil && ok && place.Name == request {
			found = append(found, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look for the request: %w", err)
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("look for the request: %s/ of %s holds none named %q; "+
			"give its file instead", requests.Folder, dir, request)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("look for the request: %q stands at %s; give one of these files",
		request, strings.Join(found, " and "))
}

// preview judges a request's text against the policies, as CI will before it looks at approvals.
func preview(tree policies.Tree, path string, data []byte) policies.Decision {
	file := policies.NewTreeFile(policies.PlainFile, "", data, int64(len(data)))
	return policies.Preview(tree, path, file)
}

// refused says why a request cannot be granted, with the place in the file; unwritten is a file
// that nobody can look into.
func refused(w world, d policies.Decision, unwritten string) error {
	for _, f := range d.Findings {
		if f.File == unwritten {
			w.say("%s: %s", d.Code, f.Message)
		} else {
			w.say("%s: %s", d.Code, f)
		}
	}
	if len(d.Findings) == 0 {
		w.say("%s: %s", d.Code, d.Message)
	}
	if d.Code != "" {
		w.say("what to do: %s", d.Code.Help())
	}
	return verdictOf(d.Outcome)
}
