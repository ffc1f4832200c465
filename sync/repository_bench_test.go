package sync

import (
	"fmt"
	"strings"
	"testing"
)

// benchServer has a branch with n request files of 500 bytes in folders of a hundred.
func benchServer(b *testing.B, n int) *gitServer {
	s := newGitServer(b)
	for i := range n {
		s.write(fmt.Sprintf("requests/prod-eu/p%d/r%d.yaml", i/100, i), strings.Repeat(fmt.Sprintf("%09d\n", i), 50))
	}
	s.commit("files")
	s.git("repack", "-adbq")
	return s
}

func BenchmarkFetchFirst(b *testing.B) {
	s := benchServer(b, 2000)
	for b.Loop() {
		mustFetch(b, s.open())
	}
}

func BenchmarkFetchUnchanged(b *testing.B) {
	s := benchServer(b, 2000)
	r := s.open()
	mustFetch(b, r)
	for b.Loop() {
		mustFetch(b, r)
	}
}

func BenchmarkFetchOneCommit(b *testing.B) {
	s := benchServer(b, 2000)
	r := s.open()
	mustFetch(b, r)
	i := 0
	for b.Loop() {
		b.StopTimer()
		i++
		s.commit("one more", "requests/prod-eu/p1/new.yaml", fmt.Sprint(i))
		b.StartTimer()
		mustFetch(b, r)
	}
}

func BenchmarkCommit(b *testing.B) {
	s := benchServer(b, 2000)
	r := s.open()
	mustFetch(b, r)
	i := 0
	for b.Loop() {
		i++
		if _, err := r.Commit(b.Context(), put(fmt.Sprintf("revocations/prod-eu/20261122/%d.yaml", i), "x")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEntries(b *testing.B) {
	s := benchServer(b, 2000)
	r := s.open()
	tip := mustFetch(b, r)
	for b.Loop() {
		if _, err := r.Entries(tip, "requests"); err != nil {
			b.Fatal(err)
		}
	}
}
