package git

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// maxTalk bounds, in bytes, every answer that carries no pack.
const maxTalk = 1 << 20

// ErrRefused says that the server will not have a push, by a rule, a hook or a permission: to try
// again soon is of no use.
var ErrRefused = errors.New("the push is refused")

// errRefused marks a push that the server answered with no, for whatever reason; errSaid another
// answer of its own words.
var (
	errRefused = errors.New("refused")
	errSaid    = errors.New("the server said")
)

// packet is the kind of one pkt-line; protocol version 2 has delimiters, which go-git's scanner
// does not know.
type packet int

const (
	packetData packet = iota
	packetFlush
	packetDelim
)

// packets reads pkt-lines without reading ahead.
type packets struct {
	r    io.Reader
	line [pktline.OversizePayloadMax]byte
}

// next gives the next pkt-line without its line end. An "ERR" line and the end of the stream are
// errors: every answer of this protocol ends with a flush.
func (p *packets) next() (string, packet, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return "", 0, cutShort(err)
	}
	n, err := strconv.ParseUint(string(head[:]), 16, 16)
	switch {
	case err != nil || n == 2 || n == 3 || n > uint64(len(p.line))+4:
		return "", 0, fmt.Errorf("packet length %q is none of git's", clean(string(head[:])))
	case n == 0:
		return "", packetFlush, nil
	case n == 1:
		return "", packetDelim, nil
	}
	line := p.line[:n-4]
	if _, err := io.ReadFull(p.r, line); err != nil {
		return "", 0, cutShort(err)
	}
	text := strings.TrimSuffix(string(line), "\n")
	if said, ok := strings.CutPrefix(text, "ERR "); ok {
		return "", 0, fmt.Errorf("%w: %s", errSaid, clean(said))
	}
	return text, packetData, nil
}

func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the answer was cut short: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// capabilities is the part of a server's version 2 advertisement that matters here.
type capabilities struct {
	filter bool // blobs above a size can be left out of a fetch
}

func readCapabilities(r io.Reader) (capabilities, error) {
	var caps capabilities
	p := &packets{r: r}
	line, kind, err := p.next()
	if strings.HasPrefix(line, "# service=") { // the HTTP envelope of version 0, which some servers keep
		if _, kind, err = p.next(); err == nil && kind == packetFlush {
			line, kind, err = p.next()
		}
	}
	if err != nil {
		return caps, err
	}
	if kind != packetData || line != "version 2" {
		return caps, errors.New("the server does not speak git protocol version 2: " +
			"use git 2.18 or later there, and let proxies pass the Git-Protocol header")
	}
	fetch := false
	for {
		line, kind, err := p.next()
		if err != nil {
			return caps, err
		}
		if kind == packetFlush {
			break
		}
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "fetch":
			for _, word := range strings.Fields(value) {
				fetch = fetch || word == "shallow"
				caps.filter = caps.filter || word == "filter"
			}
		case "object-format":
			if value != "sha1" {
				return caps, fmt.Errorf("the repository's object format is %s: only sha1 is supported",
					clean(value))
			}
		}
	}
	if !fetch {
		return caps, errors.New("the server does not offer shallow fetches: use git 2.18 or " +
			"later there")
	}
	return caps, nil
}

func refsRequest(ref plumbing.ReferenceName) []byte {
	return request("ls-refs", "ref-prefix "+string(ref))
}

func readRefs(r io.Reader, ref plumbing.ReferenceName) (plumbing.Hash, error) {
	p := &packets{r: r}
	found := plumbing.ZeroHash
	for {
		line, kind, err := p.next()
		if err != nil || kind == packetFlush {
			return found, err
		}
		id, rest, _ := strings.Cut(line, " ")
		if name, _, _ := strings.Cut(rest, " "); name != string(ref) {
			continue // the request's prefix also matches longer names
		}
		if !plumbing.IsHash(id) || !found.IsZero() {
			return plumbing.ZeroHash, fmt.Errorf("%q is no answer to a question for one ref",
				clean(line))
		}
		found = plumbing.NewHash(id)
	}
}

// fetchRequest is one question to git-upload-pack.
type fetchRequest struct {
	wants  []plumbing.Hash // commits, trees or blobs
	have   plumbing.Hash   // zero: nothing. It is declared shallow, as its history is not had
	whole  bool            // what is asked for of that is had, so it is not
	depth  int             // commits deep, counting those wanted as one; 0 where none is wanted
	filter string          // what to leave out, but for what is wanted itself; empty: nothing
	thin   bool            // deltas may refer to objects of have
}

// Filters of gitprotocol-v2's fetch, by what they leave.
const (
	onlyCommits = "tree:0"
	onlyTrees   = "blob:none" // and commits
)

// onlySmall leaves out large files: git leaves out what is as large as the limit.
var onlySmall = fmt.Sprintf("blob:limit=%d", maxBlob+1)

func (f fetchRequest) encode() []byte {
	lines := []string{"no-progress", "ofs-delta"}
	for _, h := range f.wants {
		lines = append(lines, "want "+h.String())
	}
	if f.thin {
		lines = append(lines, "thin-pack")
	}
	if !f.have.IsZero() && !f.whole {
		lines = append(lines, "shallow "+f.have.String())
	}
	if !f.have.IsZero() {
		lines = append(lines, "have "+f.have.String())
	}
	if f.depth > 0 {
		lines = append(lines, fmt.Sprintf("deepen %d", f.depth))
	}
	if f.filter != "" {
		lines = append(lines, "filter "+f.filter)
	}
	return request("fetch", append(lines, "done")...)
}

// request is a command of protocol version 2 with its arguments.
func request(command string, args ...string) []byte {
	var out bytes.Buffer
	line := func(s string) { fmt.Fprintf(&out, "%04x%s\n", len(s)+5, s) }
	line("command=" + command)
	line("agent=pullgrant")
	out.WriteString("0001")
	for _, a := range args {
		line(a)
	}
	out.WriteString("0000")
	return out.Bytes()
}

// readFetch gives the pack of an answer to a fetchRequest, still unchecked.
func readFetch(r io.Reader, limit int64) ([]byte, error) {
	p := &packets{r: r}
	for range 1 << 20 { // lines of the sections before the pack: one per shallow commit
		line, kind, err := p.next()
		switch {
		case err != nil:
			return nil, err
		case kind == packetFlush:
			return nil, errors.New("the answer holds no pack")
		case kind == packetData && line == "packfile":
			pack, _, err := demux(r, limit)
			return pack, err
		}
	}
	return nil, errors.New("the answer has too many lines before its pack")
}

// demux reads a sideband stream to its end: the data, and what the server had to say beside it.
func demux(r io.Reader, limit int64) (data []byte, said string, err error) {
	var heard talk
	d := sideband.NewDemuxer(sideband.Sideband64k, r)
	d.Progress = &heard
	data, err = io.ReadAll(io.LimitReader(d, limit+1))
	switch {
	case err != nil:
		var line *pktline.ErrorLine
		text, said := strings.CutPrefix(err.Error(), "unexpected error: ")
		// the server's own words
		if said || errors.As(err, &line) || strings.HasPrefix(text, "unknown channel") {
			err = errors.New(clean(text))
		}
		return nil, heard.String(), err
	case int64(len(data)) > limit:
		return nil, heard.String(), tooMany("the answer is larger than %d bytes", limit)
	}
	return data, heard.String(), nil
}

// talk keeps the beginning of what a server says, which is where its reason stands.
type talk struct{ text []byte }

func (t *talk) Write(p []byte) (int, error) {
	t.text = append(t.text, p[:min(len(p), 4096-len(t.text))]...)
	return len(p), nil
}

func (t *talk) String() string { return clean(string(t.text)) }

// readReport reads the answer to a push: nil when the server says that it moved ref.
func readReport(r io.Reader, ref plumbing.ReferenceName) error {
	data, said, err := demux(r, maxTalk)
	if err != nil {
		return fmt.Errorf("the server stopped: %w", err)
	}
	report := packp.NewReportStatus()
	if err := report.Decode(bytes.NewReader(data)); err != nil {
		return fmt.Errorf("the server's report cannot be read: %s", clean(err.Error()+" "+said))
	}
	if report.UnpackStatus != "ok" {
		return fmt.Errorf("%w: %s", errRefused, clean(report.UnpackStatus+" "+said))
	}
	for _, s := range report.CommandStatuses {
		if s.ReferenceName == ref && s.Status == "ok" {
			return nil
		} else if s.ReferenceName == ref {
			return fmt.Errorf("%w: %s", errRefused, clean(s.Status+" "+said))
		}
	}
	return fmt.Errorf("the server's report does not mention the ref: %s", said)
}

// clean makes text from outside fit for one line of a log: printable, single spaces, at most 300
// characters.
func clean(s string) string {
	var out strings.Builder
	for i, word := range strings.Fields(strings.ToValidUTF8(s[:min(len(s), 4096)], "?")) {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return '?'
		}, word))
	}
	if runes := []rune(out.String()); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return out.String()
}
