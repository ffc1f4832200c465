package requests_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/requests"
)

var update = flag.Bool("update", false, "write the findings into testdata/loader")

const loaderDir = "../testdata/loader"

// TestLoader reads the documents in testdata/loader and compares their findings, file:line:col and
// all. A document is a section whose name begins with
//
//	file    the document
//	add     lines after those of testdata/loader/request.yaml, a request without findings
//
// or the same with -quoted: each line is a Go string, for bytes that an editor would not keep. A
// section path before it says where the document stands, if not where the base request does. The
// section findings after it holds what is found; when that is nothing, the request was read, and is
// the same after it was written and read again.
func TestLoader(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(loaderDir, "*.txtar"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	base, err := os.ReadFile(filepath.Join(loaderDir, "request.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := load(t, fuzzPath, base); got != "" {
		t.Fatalf("the base request has findings:\n%s", got)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path, title, documents := fuzzPath, "", 0
		var document []byte
		for i, section := range archive.Files {
			kind, name, _ := strings.Cut(section.Name, " ")
			switch kind {
			case "path":
				path = strings.TrimSuffix(string(section.Data), "\n")
			case "file", "add", "file-quoted", "add-quoted":
				title, document = name, section.Data
				if strings.HasSuffix(kind, "-quoted") {
					document = unquote(t, section.Data)
				}
				if strings.HasPrefix(kind, "add") {
					document = append(bytes.Clone(base), document...)
				}
				documents++
			case "findings":
				got := load(t, path, document)
				if *update {
					archive.Files[i].Data = []byte(got)
				} else if want := string(section.Data); got != want {
					t.Errorf("%s, %s:\n%swant:\n%s", filepath.Base(file), title, got, want)
				}
				path = fuzzPath
				documents--
			default:
				t.Fatalf("%s: unknown section %s", file, section.Name)
			}
		}
		if documents != 0 {
			t.Errorf("%s: %d documents are without findings sections", file, documents)
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func load(t *testing.T, path string, document []byte) string {
	request, findings := requests.ParseRequest(path, document)
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintln(&b, strings.Replace(f.String(), fuzzPath, "request.yaml", 1))
	}
	if len(findings) > 0 {
		return b.String()
	}
	text, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if again, findings := requests.ParseRequest(path, text); len(findings) > 0 ||
		!reflect.DeepEqual(again, request) {
		t.Errorf("written and read again: %v, %v; before: %v", again, findings, request)
	}
	return ""
}

func unquote(t *testing.T, data []byte) (document []byte) {
	for line := range strings.Lines(string(data)) {
		s, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		document = append(document, s...)
	}
	return document
}

// TestSizeAndBombs: what grows with the reader is refused before it grows.
func TestSizeAndBombs(t *testing.T) {
	base, err := os.ReadFile(filepath.Join(loaderDir, "request.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const most = 16 << 10
	fill := func(size int) []byte {
		return append(bytes.Clone(base), "# "+strings.Repeat("x", size-len(base)-3)+"\n"...)
	}
	aliases := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'z'; c++ {
		aliases += fmt.Sprintf("%c: &%[1]c [%s]\n", c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9))
	}
	for name, c := range map[string]struct {
		document []byte
		rule     string
	}{
		"at the limit":   {fill(most), ""},
		"over the limit": {fill(most + 1), "file-size"},
		"alias bomb":     {[]byte(aliases), "yaml-anchor"},
		"flow depth":     {[]byte("spec: " + strings.Repeat("[", most/2)), "yaml-syntax"},
		"closed depth": {[]byte("spec: " + strings.Repeat("[", 4000) + strings.Repeat("]",
			4000) + "\n"), "yaml-depth"},
		"mapping depth": {[]byte("spec: " + strings.Repeat("{a: ", 3000) + strings.Repeat("}",
			3000) + "\n"), "yaml-depth"},
		"too deep to read": {[]byte("spec: " + strings.Repeat("- ", 8000) + "x\n"), "yaml-syntax"},
		"tab after tab":    {bytes.Repeat([]byte("\t"), most), "hidden-character"},
		"key after key":    {bytes.Repeat([]byte("a: b\n"), most/5), "duplicate-key"},
	} {
		_, findings := requests.ParseRequest(fuzzPath, c.document)
		switch {
		case len(findings) > 100:
			t.Errorf("%s: %d findings", name, len(findings))
		case c.rule == "" && len(findings) > 0:
			t.Errorf("%s: %v", name, findings[0])
		case c.rule != "" && (len(findings) == 0 || findings[0].Rule != c.rule):
			t.Errorf("%s: %d findings, the first %v; want %s", name, len(findings), append(findings,
				requests.Finding{})[0], c.rule)
		}
	}
}

func TestFindingQuotesOddFileNames(t *testing.T) {
	f := requests.Finding{File: "requests/a\n::error::b\x1b[31m.yaml", Line: 1, Column: 2,
		Rule: "path", Message: "no"}
	if got, want := f.String(),
		`"requests/a\n::error::b\x1b[31m.yaml":1:2: no [path]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f.File = "requests/prod-eu/é.yaml"
	if got, want := f.String(), `requests/prod-eu/é.yaml:1:2: no [path]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestRequestNameLength: the bound itself is allowed, one more is not.
func TestRequestNameLength(t *testing.T) {
	name := "20261123-alice-"
	name += strings.Repeat("a", requests.MaxRequestName-len(name))
	if wrong := requests.CheckRequestName(name, "alice"); wrong != "" {
		t.Errorf("%d bytes: %s", len(name), wrong)
	}
	if requests.CheckRequestName(name+"a", "alice") == "" {
		t.Errorf("%d bytes are taken", len(name)+1)
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 80)
	if a, b := requests.ObjectName("20261123-x-"+long+"a", 0), requests.ObjectName("20261123-x-"+
		long+"b", 0); a == b || len(a) != 63 || len(b) != 63 {
		t.Errorf("two long requests have the object names %s and %s", a, b)
	}
	if a, b := requests.ObjectName("20261123-x-"+long, 0), requests.ObjectName("20261123-x-"+long,
		11); a == b || len(b) > 63 {
		t.Errorf("two objects of a request have the names %s and %s", a, b)
	}
	for _, mode := range []string{"", requests.ModeImpersonate} { // as many as one policy can give
		if got := requests.ItemName("20261123-x-"+long, 40*requests.MaxNamespaces-1,
			mode); len(got) > 63 || !strings.HasSuffix(got, ".800") {
			t.Errorf("the last item of a request has the name %s", got)
		}
	}
	if got := requests.ObjectName("20261123-alice-inc-123",
		1); got != "pullgrant-20261123-alice-inc-123.2" {
		t.Error(got)
	}
	if got := requests.LabelValue("20261123-alice-inc-123"); got != "20261123-alice-inc-123" {
		t.Error(got)
	}
	for n, same := range map[int]bool{63: true, 64: false} { // what Kubernetes takes
		name := "20261123-x-" + strings.Repeat("a", n-11)
		if got := requests.LabelValue(name); (got == name) != same || len(got) != 63 {
			t.Errorf("the label for a name of %d characters is %s", n, got)
		}
	}
}
