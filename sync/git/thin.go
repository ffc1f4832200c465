package git

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// packHead is how long a pack's header is, and packTail its checksum: git's gitformat-pack.
const (
	packHead = 12
	packTail = sha1.Size
)

// withoutBlobs copies a pack without its blobs, of which nothing is built: what a server with
// filters would have sent. The entries stay as they are, but for where a delta says that its base
// is.
func (s *objects) withoutBlobs(pack []byte, l limits) ([]byte, error) {
	scan := packfile.NewScanner(bytes.NewReader(pack))
	version, count, err := scan.Header()
	if err != nil {
		return nil, fmt.Errorf("reading the pack: %w", err)
	}
	var out bytes.Buffer
	out.WriteString("PACK")
	_ = binary.Write(&out, binary.BigEndian, [2]uint32{version, 0}) // the count follows
	moved := map[int64]int64{}                                      // from where to where, of what stays
	keep := func(h *packfile.ObjectHeader, end int64) error {
		stays := h.Type != plumbing.BlobObject
		if h.Type == plumbing.REFDeltaObject {
			base, err := s.EncodedObject(plumbing.AnyObject, h.Reference)
			stays = err != nil || base.Type() != plumbing.BlobObject
		}
		base, known := moved[h.OffsetReference]
		if h.Type == plumbing.OFSDeltaObject {
			stays = known
		}
		if !stays {
			return nil
		}
		if len(moved) >= int(l.objects) {
			return tooMany("the pack has more than %d commits and trees", l.objects)
		}
		to := int64(out.Len())
		moved[h.Offset] = to
		entry := pack[h.Offset:end]
		head := varint(entry)
		out.Write(entry[:head])
		entry = entry[head:]
		if h.Type == plumbing.OFSDeltaObject {
			out.Write(distance(to - base))
			entry = entry[varint(entry):]
		}
		out.Write(entry)
		return nil
	}
	var last *packfile.ObjectHeader
	for range count {
		h, err := scan.NextObjectHeader()
		if err != nil {
			return nil, fmt.Errorf("reading the pack: %w", err)
		}
		if last != nil {
			if err := keep(last, h.Offset); err != nil {
				return nil, err
			}
		}
		copied := *h
		last = &copied
	}
	if _, err := scan.Checksum(); err != nil {
		return nil, fmt.Errorf("reading the pack's checksum: %w", err)
	}
	if last != nil {
		if err := keep(last, int64(len(pack)-packTail)); err != nil {
			return nil, err
		}
	}
	binary.BigEndian.PutUint32(out.Bytes()[packHead-4:], uint32(len(moved)))
	sum := sha1.Sum(out.Bytes())
	return append(out.Bytes(), sum[:]...), nil
}

// varint is how many bytes the number at the beginning takes: all but its last have the high bit.
func varint(b []byte) int {
	n := 1
	for n < len(b) && b[n-1]&0x80 != 0 {
		n++
	}
	return n
}

// distance writes how far before a delta its base is.
func distance(n int64) []byte {
	out := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		out = append([]byte{0x80 | byte(n&0x7f)}, out...)
	}
	return out
}
