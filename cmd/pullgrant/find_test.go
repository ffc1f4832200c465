package main

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// shut is a folder that cannot be read.
type shut struct{ fstest.MapFS }

func (s shut) Open(name string) (fs.File, error) {
	if name == "requests/prod" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("no such luck")}
	}
	return s.MapFS.Open(name)
}

func (s shut) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "requests/prod" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("no such luck")}
	}
	return s.MapFS.ReadDir(name)
}

// TestFindTellsWhatItCannotRead: what cannot be looked at is not taken for empty.
func TestFindTellsWhatItCannotRead(t *testing.T) {
	files := fstest.MapFS{"requests/prod/debug/20261122-alice-a.yaml": {}}
	var c checkout
	if path, err := c.find("", files, "20261122-alice-a"); err != nil ||
		path != "requests/prod/debug/20261122-alice-a.yaml" {
		t.Fatalf("found %s, %v", path, err)
	}
	_, err := c.find("", shut{files}, "20261122-alice-a")
	if err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("the error is %v", err)
	}
}
