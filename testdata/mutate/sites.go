package main

import (
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// site is a place in the source that can be broken, and how.
type site struct {
	number     int // from one
	file       string
	line       int
	function   string
	kind       string // of kinds
	was, now   string // the text, in a line
	insertions []insertion
}

// insertion puts text before the byte at offset. The text of sites inside each other nests.
type insertion struct {
	offset int
	text   string
	closes bool // text that ends something stands before text that begins something
}

// name tells a site from all others, and stays the same while its function does.
func (s site) name() string {
	return strings.Join([]string{s.file, s.function, s.kind, s.was}, " ")
}

// The kinds of mutations. Each is one rule, applied wherever it fits; which sites are tried is
// decided by a hash of their names, so that nobody chooses.
const (
	bound    = "bound"    // < for <=, <= for <, and the other way round
	equality = "equality" // == and != turned round
	refusal  = "refusal"  // an error that is not returned
	answer   = "answer"   // return true for return false, and the other way round
)

// opposite are the operators on both sides of a bound.
var opposite = map[token.Token]token.Token{token.LSS: token.LEQ, token.LEQ: token.LSS,
	token.GTR: token.GEQ, token.GEQ: token.GTR, token.EQL: token.NEQ, token.NEQ: token.EQL}

// sitesOf finds the sites of a file. Numbers are given later.
func sitesOf(root, file string) ([]site, error) {
	source, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := finder{file: file, source: source, set: set, seen: map[string]int{}}
	for _, declaration := range tree.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Body != nil {
			f.function = function.Name.Name
			f.walk(function.Body, function.Type)
		}
	}
	return f.sites, nil
}

type finder struct {
	file, function string
	source         []byte
	set            *token.FileSet
	sites          []site
	seen           map[string]int
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}

// walk finds the sites of a body, which belongs to a function of the type.
func (f *finder) walk(body ast.Node, of *ast.FuncType) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			f.walk(n.Body, n.Type)
			return false
		case *ast.BinaryExpr:
			f.compare(n)
		case *ast.ReturnStmt:
			f.returns(n, of)
		}
		return true
	})
}

func (f *finder) add(kind string, n ast.Node, was, now string, insertions ...insertion) {
	s := site{file: f.file, function: f.function, kind: kind, was: flat(was), now: flat(now),
		line: f.set.Position(n.Pos()).Line, insertions: insertions}
	if f.seen[s.name()]++; f.seen[s.name()] > 1 {
		s.was += fmt.Sprintf(" (%d)", f.seen[s.name()])
	}
	f.sites = append(f.sites, s)
}

func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// compare breaks a comparison. One with nil of an error is left to the return below it.
func (f *finder) compare(n *ast.BinaryExpr) {
	other, ok := opposite[n.Op]
	if !ok || f.text(n.X) == "err" && f.text(n.Y) == "nil" {
		return
	}
	x, y := f.text(n.X), f.text(n.Y)
	was, now := f.text(n), x+" "+other.String()+" "+y
	begin, end := f.offset(n.Pos()), f.offset(n.End())
	equal := fmt.Sprintf("(%s) == (%s)", x, y)
	switch n.Op {
	case token.EQL, token.NEQ:
		f.add(equality, n, was, now, insertion{begin, "((", false},
			insertion{end, ") != switched.On(%d))", true})
	case token.LSS, token.GTR:
		f.add(bound, n, was, now, insertion{begin, "((", false},
			insertion{end, ") || switched.On(%d) && " + equal + ")", true})
	default:
		f.add(bound, n, was, now, insertion{begin, "((", false},
			insertion{end, ") && !(switched.On(%d) && " + equal + "))", true})
	}
}

// returns breaks what a return says last: an error becomes nil, true becomes false.
func (f *finder) returns(n *ast.ReturnStmt, of *ast.FuncType) {
	if len(n.Results) == 0 || of.Results == nil {
		return
	}
	last := n.Results[len(n.Results)-1]
	text, begin := f.text(last), f.offset(n.Pos())
	head := string(f.source[begin:f.offset(last.Pos())])
	if text == "true" || text == "false" {
		now := "true"
		if text == now {
			now = "false"
		}
		f.add(answer, n, f.text(n), head+now,
			insertion{begin, "if switched.On(%d) { " + head + now + " }\n", false})
		return
	}
	results := 0
	for _, field := range of.Results.List {
		results += max(1, len(field.Names))
	}
	final := of.Results.List[len(of.Results.List)-1].Type
	if name, ok := final.(*ast.Ident); !ok || name.Name != "error" || text == "nil" {
		return
	}
	if len(n.Results) == results {
		f.add(refusal, n, f.text(n), head+"nil",
			insertion{begin, "if switched.On(%d) { _ = " + text + "; " + head + "nil }\n", false})
		return
	}
	names := make([]string, results)
	for i := range names {
		names[i] = fmt.Sprintf("v%d", i)
	}
	kept := strings.Join(names[:results-1], ", ")
	f.add(refusal, n, f.text(n), kept+", nil", insertion{begin, fmt.Sprintf(
		"if switched.On(%%d) { %s, _ := %s; return %s, nil }\n", kept, text, kept), false})
}

// choose takes the given number of sites, by the hash of their names.
func choose(sites []site, count int) []site {
	key := func(s site) string {
		sum := sha256.Sum256([]byte(s.name()))
		return string(sum[:])
	}
	sites = slices.Clone(sites)
	slices.SortFunc(sites, func(a, b site) int { return strings.Compare(key(a), key(b)) })
	sites = sites[:min(count, len(sites))]
	slices.SortFunc(sites, func(a, b site) int {
		return strings.Compare(a.file+fmt.Sprintf("%6d", a.line)+a.name(),
			b.file+fmt.Sprintf("%6d", b.line)+b.name())
	})
	return sites
}

// broken is the file with all its mutations behind their switches.
func broken(source []byte, sites []site) []byte {
	var all []insertion
	for _, s := range sites {
		for _, i := range s.insertions {
			i.text = strings.ReplaceAll(i.text, "switched.On(%d)",
				fmt.Sprintf("switched.On(%d)", s.number))
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b insertion) int {
		if a.offset != b.offset || a.closes == b.closes {
			return a.offset - b.offset
		}
		if a.closes {
			return -1
		}
		return 1
	})
	var out strings.Builder
	at := 0
	for _, i := range all {
		out.Write(source[at:i.offset])
		out.WriteString(i.text)
		at = i.offset
	}
	out.Write(source[at:])
	return []byte(out.String())
}
