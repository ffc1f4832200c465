package requests

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

var yamlLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)`)

// mostReread bounds, in bytes, what is read again to find the line that a file fails at.
const mostReread = 256 << 10

// YAMLError is the line of data, from 1 on, that keeps it from being YAML, and what the YAML library
// says of it in err: what stands before the line is YAML, and with it no more is. The library's own
// line is that of what is around the fault, or the one before; it is taken where the fault is too far
// above the line at which reading failed.
func YAMLError(err error, data []byte) (line int, what string) {
	what = err.Error()
	if m := yamlLine.FindStringSubmatch(what); m != nil {
		line, _ = strconv.Atoi(m[1])
		what = m[2]
	}
	reader := lines{rest: data}
	_ = readYAML(&reader) // it fails as err tells, and reads no further than it must
	read := data[:len(data)-len(reader.rest)]
	for left, start := mostReread, lastLine(read); left >= start; start = lastLine(data[:start]) {
		if left -= start; start == 0 || readYAML(bytes.NewReader(data[:start])) == nil {
			return 1 + bytes.Count(data[:start], []byte("\n")), what
		}
	}
	return max(line, 1), what
}

// lastLine is where the last line of data begins.
func lastLine(data []byte) int {
	return bytes.LastIndexByte(bytes.TrimSuffix(data, []byte("\n")), '\n') + 1
}

// readYAML reads all documents; the error is nil where they are YAML.
func readYAML(r io.Reader) error {
	decoder := yaml.NewDecoder(r)
	for {
		if err := decoder.Decode(new(yaml.Node)); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// lines is read a line at a time.
type lines struct{ rest []byte }

func (l *lines) Read(p []byte) (n int, err error) {
	if len(l.rest) == 0 {
		return 0, io.EOF
	}
	line, _, _ := bytes.Cut(l.rest, []byte("\n"))
	n = copy(p, l.rest[:min(len(line)+1, len(l.rest))])
	l.rest = l.rest[n:]
	return n, nil
}
