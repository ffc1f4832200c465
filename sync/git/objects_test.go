package git

import (
	"bytes"
	"compress/zlib"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

const allowFilter = "GIT_CONFIG_COUNT=1,GIT_CONFIG_KEY_0=uploadpack.allowFilter,GIT_CONFIG_VALUE_0=true"

func TestLargeFilesAreLeftOut(t *testing.T) {
	s := gitserver.New(t, strings.Split(allowFilter, ",")...)
	noise := make([]byte, maxBlob+1000)
	_, _ = rand.Read(noise)
	s.Commit("one", "big", string(noise), "exact", string(noise[:maxBlob]), "requests/a", "1")
	r := open(t, s)
	var received int64
	r.remote.client.Transport = counting{&received}
	tip := mustFetch(t, r)
	if received > maxBlob+100_000 {
		t.Errorf("%d bytes received: the large file came along", received)
	}
	entries, err := r.Entries(t.Context(), tip, "big", "exact")
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	if _, err := r.Blob(t.Context(), entries[0].Hash); !errors.Is(err, ErrTooLarge) {
		t.Errorf("big: %v, want ErrTooLarge", err)
	}
	if b, err := r.Blob(t.Context(), entries[1].Hash); err != nil || !bytes.Equal(b,
		noise[:maxBlob]) {
		t.Errorf("exact: %d bytes, %v", len(b), err)
	}
	// The server may send the next version as a delta on the one that was left out.
	next := s.Commit("two", "big", string(noise[:maxBlob-1000]))
	if got := mustFetch(t, r); got != next || readFile(t, r, next,
		"big") != string(noise[:maxBlob-1000]) {
		t.Errorf("tip %s, want %s with a smaller big", got, next)
	}
	if _, err := r.Commit(t.Context(), put("requests/b", "2")); err != nil {
		t.Errorf("commit beside files that are not there: %v", err)
	}
	s.Fsck()
}

func TestLargeFilesOfAServerWithoutFilter(t *testing.T) {
	s := gitserver.New(t)
	tip := s.Commit("one", "big", strings.Repeat("x", maxBlob+1), "small", "1")
	r := open(t, s)
	mustFetch(t, r)
	entries, err := r.Entries(t.Context(), tip, "big")
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	if _, err := r.Blob(t.Context(), entries[0].Hash); !errors.Is(err, ErrTooLarge) {
		t.Errorf("big: %v, want ErrTooLarge", err)
	}
	if _, err := r.Blob(t.Context(), strings.Repeat("ab", 20)); !errors.Is(err, ErrNotInMemory) {
		t.Errorf("no such blob: %v, want ErrNotInMemory", err)
	}
}

func TestFetchStaysInItsLimits(t *testing.T) {
	for _, c := range []struct {
		name, want string
		set        func(*limits)
	}{
		{"bytes sent", "larger than 100 bytes", func(l *limits) { l.pack = 100 }},
		{"objects", "more than 3", func(l *limits) { l.objects = 3 }},
		{"one object", "object of 5000 bytes, more than 4999", func(l *limits) { l.object = 4999 }},
		{"all objects", "unpacks to more than 5000 bytes", func(l *limits) { l.total = 5000 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gitserver.New(t)
			s.Commit("one", "a", strings.Repeat("x", 5000), "b", "1")
			r := open(t, s)
			c.set(&r.limits)
			if _, err := r.Fetch(t.Context()); err == nil ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if r.Tip() != "" || len(r.store.objects.Objects) != 0 {
				t.Error("something was kept")
			}
		})
	}
}

// packOf makes a pack of blobs and of deltas on the first blob.
func packOf(t testing.TB, blob string, deltas ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&out, binary.BigEndian, uint32(1+len(deltas)))
	base := out.Len()
	entry := func(kind byte, ref, content []byte) {
		head := kind<<4 | byte(len(content)&15)
		for n := len(content) >> 4; ; n >>= 7 {
			if n == 0 {
				out.WriteByte(head)
				break
			}
			out.WriteByte(head | 0x80)
			head = byte(n & 0x7f)
		}
		out.Write(ref)
		z := zlib.NewWriter(&out)
		_, _ = z.Write(content)
		_ = z.Close()
	}
	entry(3, nil, []byte(blob))
	for _, d := range deltas {
		offset := out.Len() - base
		entry(6, []byte{0x80 | byte(offset>>7-1), byte(offset & 0x7f)}[btoi(offset < 128):], d)
	}
	sum := sha1.Sum(out.Bytes())
	return append(out.Bytes(), sum[:]...)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A few bytes of delta that copy their base again and again are refused before anything is built.
func TestDeltaBomb(t *testing.T) {
	base := strings.Repeat("x", 0xffff)
	sizes := binary.AppendUvarint(nil, uint64(len(base)))
	delta := binary.AppendUvarint(sizes, 1000*0xffff)
	for range 1000 {
		delta = append(delta, 0x80|0x10|0x20, 0xff, 0xff)
	}
	l := limits{pack: 1 << 20, object: 1 << 20, total: 1 << 21, objects: 10}
	s := &objects{Storage: memory.NewStorage(), below: memory.NewStorage()}
	if err := s.unpack(packOf(t, base, delta), l); err == nil || !strings.Contains(err.Error(),
		"object of 65535000 bytes") {
		t.Errorf("%v, want the size refused", err)
	}
	l.object, l.total = 1<<27, 1<<27
	if err := s.unpack(packOf(t, base, delta), l); err != nil || len(s.Objects) != 2 {
		t.Errorf("with room for it: %v, %d objects", err, len(s.Objects))
	}
	good := packOf(t, base)
	if err := s.unpack(good[:len(good)-20], l); err == nil || !strings.Contains(err.Error(),
		"checksum") {
		t.Errorf("a pack without its checksum: %v", err)
	}
	good[20] ^= 1
	if err := s.unpack(good, l); err == nil {
		t.Error("a damaged pack is taken")
	}
}

// A server that leaves objects out is caught before its commit becomes the tip.
func TestFetchOfAnIncompleteAnswer(t *testing.T) {
	for filter, want := range map[string]string{"blob:none": "lacks blob", "tree:0": "lacks tree"} {
		t.Run(filter, func(t *testing.T) {
			s := gitserver.New(t, strings.Split(allowFilter, ",")...)
			old := s.Commit("one", "a", "1")
			r := open(t, s)
			mustFetch(t, r)
			*r.mode = mode{whole: "it says so"} // it did not ask for less
			s.Commit("two", "a", "2", "d/b", "3")
			done := pktLine("done\n")
			s.Intercept(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
				body, _ := io.ReadAll(req.Body)
				body = bytes.Replace(body, []byte(done), []byte(pktLine("filter "+filter+
					"\n")+done),
					1)
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				next.ServeHTTP(w, req)
			})
			if _, err := r.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), want) ||
				r.Tip() != old {
				t.Errorf("%v and tip %s, want %q", err, r.Tip(), want)
			}
			if n := len(r.store.objects.Objects); n != 3 {
				t.Errorf("%d objects in memory, want the 3 from before", n)
			}
		})
	}
}
