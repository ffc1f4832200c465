package forge

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Objects and refs that stand in files of their own are read and written here, as gitformat-loose(5)
// and gitrepository-layout(5) have it: a process of git's for each of them was most of what a test
// costs. What is packed, abbreviated or odd is left to git.

var fullSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (g repository) objectFile(sha string) string {
	return filepath.Join(g.dir, "objects", sha[:2], sha[2:])
}

// loose opens an object that stands in a file of its own: its kind, its size and what reads it.
func (g repository) loose(sha string) (kind string, size int, content io.ReadCloser, ok bool) {
	if !fullSHA.MatchString(sha) {
		return "", 0, nil, false
	}
	file, err := os.Open(g.objectFile(sha))
	if err != nil {
		return "", 0, nil, false
	}
	inflated, err := zlib.NewReader(file)
	if err != nil {
		file.Close()
		return "", 0, nil, false
	}
	reader := bufio.NewReader(inflated)
	header, err := reader.ReadString(0)
	kind, length, _ := strings.Cut(strings.TrimSuffix(header, "\x00"), " ")
	if size, _ = strconv.Atoi(length); err != nil || kind == "" {
		file.Close()
		return "", 0, nil, false
	}
	return kind, size, struct {
		io.Reader
		io.Closer
	}{reader, file}, true
}

// looseKind is the type and the size of an object that stands in a file of its own.
func (g repository) looseKind(sha string) (kind string, size int, ok bool) {
	type is struct {
		kind string
		size int
	}
	if known, found := g.known.Load("kind " + sha); found {
		return known.(is).kind, known.(is).size, true
	}
	kind, size, content, ok := g.loose(sha)
	if ok {
		content.Close()
		g.known.Store("kind "+sha, is{kind, size})
	}
	return kind, size, ok
}

// kind is the type of an object and its size in bytes.
func (g repository) kind(sha string) (kind string, size int, err error) {
	if kind, size, ok := g.looseKind(sha); ok {
		return kind, size, nil
	}
	if kind, err = g.line("cat-file", "-t", sha); err != nil {
		return "", 0, errNoObject
	}
	length, err := g.line("cat-file", "-s", sha)
	size, _ = strconv.Atoi(length)
	return kind, size, err
}

// content is what an object of that kind holds.
func (g repository) content(sha, kind string) (string, error) {
	is, _, content, ok := g.loose(sha)
	if !ok {
		return g.run("", "cat-file", kind, sha)
	}
	defer content.Close()
	if is != kind {
		return "", errNoObject
	}
	data, err := io.ReadAll(content)
	return string(data), err
}

// store writes an object, unless it is there, and returns its name.
func (g repository) store(kind, content string) (sha string, err error) {
	object := fmt.Appendf(nil, "%s %d\x00%s", kind, len(content), content)
	sum := sha1.Sum(object)
	sha = hex.EncodeToString(sum[:])
	if _, err := os.Stat(g.objectFile(sha)); err == nil {
		return sha, nil
	}
	var deflated bytes.Buffer
	w, _ := zlib.NewWriterLevel(&deflated, zlib.BestSpeed)
	if _, err := w.Write(object); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(g.objectFile(sha)), 0o777); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(filepath.Dir(g.objectFile(sha)), "tmp_obj_*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(deflated.Bytes())
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), g.objectFile(sha))
	}
	return sha, err
}

// peeled finds the object of the kind (commit, tree, blob, or object for any) that a full name leads
// to; known says whether that needed no git.
func (g repository) peeled(sha, kind string) (found string, known bool, err error) {
	is, _, ok := g.looseKind(sha)
	switch {
	case !ok:
		return "", false, nil
	case is == kind || kind == "object":
		return sha, true, nil
	case is == "tag":
		return "", false, nil
	case is == "commit" && kind == "tree":
		c, err := g.commit(sha)
		return c.Tree, true, err
	}
	return "", true, errNoObject
}
