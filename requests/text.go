package requests

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// DigestPattern is the form of a Digest.
const DigestPattern = `^sha256:[0-9a-f]{64}$`

var digestPattern = regexp.MustCompile(DigestPattern)

// Digest names data by its SHA-256.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// EscapeJSON escapes in a JSON text every character that a reader may fail to see or a terminal
// could obey; what the text means stays the same.
func EscapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || !IsHidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// scan refuses bytes that an approver could not see or that readers treat differently: anything but
// UTF-8, a BOM, carriage returns, tabs, line breaks other than LF, control and format characters.
func (d *Document) scan(data []byte) {
	line, column := 1, 1
	// A byte that is not UTF-8 is one rune too.
	text := sync.OnceValue(func() []rune { return []rune(string(data)) })
	for rest, i := data, 0; len(rest) > 0; i++ {
		r, size := utf8.DecodeRune(rest)
		p := position{line, column}
		switch {
		case r == utf8.RuneError && size == 1:
			d.add(p, "encoding", "byte 0x%02x is not UTF-8; save the file as UTF-8", rest[0])
			return
		case r == '\uFEFF':
			d.add(p, "encoding", "byte order mark U+FEFF; save the file as UTF-8 without one")
		case r == '\r':
			d.add(p, "encoding", "carriage return U+000D; save the file with LF line ends")
			return
		case r == '\t':
			d.add(p, "hidden-character", "tab U+0009; indent with spaces")
		case r == '%' && column == 1:
			d.add(p, "yaml-directive", "a line may not start with %%: YAML directives are refused")
		case r != '\n' && IsHidden(r) && !hiddenAt(text(), i):
			d.joined = append(d.joined, joinedRune{p, r})
		case r != '\n' && IsHidden(r):
			d.hidden(p, r)
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		rest = rest[size:]
	}
}

func (d *Document) hidden(p position, r rune) {
	d.add(p, "hidden-character", "hidden character %U; remove it", r)
}

// IsHidden tells whether a reader may fail to see r: control, format, private, unassigned and
// separator characters, variation selectors, the letters that Unicode says to draw as nothing, and
// two symbols that are drawn empty. Spaces are not hidden.
func IsHidden(r rune) bool {
	const brailleBlank, nullNotehead = '\u2800', '\U0001D159'
	if r >= ' ' && r <= '~' {
		return false
	}
	return !unicode.IsGraphic(r) || r == brailleBlank || r == nullNotehead ||
		unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Quote renders text from a file for a message: quoted, escaped to ASCII where it is not plain, at
// most 64 bytes of it.
func Quote(s string) string {
	const most = 64
	if len(s) <= most {
		return strconv.QuoteToGraphic(s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.QuoteToGraphic(s[:cut]), len(s))
}

// maxExcerpt bounds an Excerpt, in characters.
const maxExcerpt = 200

// Excerpt is the beginning of what somebody wrote, on one line and without what a reader may fail to
// see. It is their own words still: every sink escapes it.
func Excerpt(text string) string {
	runes := []rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || IsHidden(r)
	}), " "))
	if len(runes) > maxExcerpt {
		runes = append(runes[:maxExcerpt-1], '…')
	}
	return string(runes)
}
