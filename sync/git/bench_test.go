package git

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// benchServer has a branch with n request files of 500 bytes in folders of a hundred.
func benchServer(b *testing.B, n int) *gitserver.Server {
	s := gitserver.New(b)
	for i := range n {
		s.Write(fmt.Sprintf("requests/prod-eu/p%d/r%d.yaml", i/100, i),
			strings.Repeat(fmt.Sprintf("%09d\n", i), 50))
	}
	s.Commit("files")
	s.Git("repack", "-adbq")
	return s
}

func BenchmarkFetchFirst(b *testing.B) {
	s := benchServer(b, 2000)
	for b.Loop() {
		mustFetch(b, open(b, s))
	}
}

func BenchmarkFetchUnchanged(b *testing.B) {
	s := benchServer(b, 2000)
	r := open(b, s)
	mustFetch(b, r)
	for b.Loop() {
		mustFetch(b, r)
	}
}

func BenchmarkFetchOneCommit(b *testing.B) {
	s := benchServer(b, 2000)
	r := open(b, s)
	mustFetch(b, r)
	i := 0
	for b.Loop() {
		b.StopTimer()
		i++
		s.Commit("one more", "requests/prod-eu/p1/new.yaml", fmt.Sprint(i))
		b.StartTimer()
		mustFetch(b, r)
	}
}

func BenchmarkCommit(b *testing.B) {
	s := benchServer(b, 2000)
	r := open(b, s)
	mustFetch(b, r)
	i := 0
	for b.Loop() {
		i++
		if _, err := r.Commit(
			b.Context(), put(fmt.Sprintf("revocations/prod-eu/20261122/%d.yaml", i),
				"x")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEntries(b *testing.B) {
	s := benchServer(b, 2000)
	r := open(b, s)
	tip := mustFetch(b, r)
	for b.Loop() {
		if _, err := r.Entries(tip, "requests"); err != nil {
			b.Fatal(err)
		}
	}
}
