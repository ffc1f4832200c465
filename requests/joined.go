package requests

import (
	"slices"
	"strings"
	"unicode"
)

const (
	nonJoiner     = '\u200C'
	joiner        = '\u200D'
	textStyle     = '\uFE0E'
	emojiStyle    = '\uFE0F'
	keycap        = '\u20E3'
	blackFlag     = '\U0001F3F4'
	firstTag      = '\U000E0020'
	lastTag       = '\U000E007F'
	lightestShade = '\U0001F3FB' // of the five skin tones
	darkestShade  = '\U0001F3FF'
)

// joining are the scripts whose words need joiners to be written right: without them Persian words
// run together, and Indic ones have other letters.
// https://www.unicode.org/versions/latest/core-spec/chapter-23/#G23126
var joining = []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko,
	unicode.Mandaic, unicode.Manichaean, unicode.Phags_Pa, unicode.Adlam, unicode.Hanifi_Rohingya,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya,
	unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala,
	unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese, unicode.Javanese}

// flags are the regions whose flags are written with tags. Other tags could hold any text unseen.
var flags = []string{"gbeng", "gbsct", "gbwls"}

// joinedRune is a rune that is hidden on its own and seen where it stands. Only a reason may hold
// one: names and comments have no need of it.
type joinedRune struct {
	position
	rune
}

// inReason refuses what scan left to be decided until it is known where the reason stands.
func (d *Document) inReason() {
	if len(d.joined) == 0 {
		return
	}
	at, ok := d.positions["spec.reason"]
	line := "" // where the reason has it for itself
	if ok {
		line = strings.TrimLeft(string(d.lines()[at.line-1]), " ")
	}
	for _, j := range d.joined {
		if !ok || j.line != at.line || !strings.HasPrefix(line, "reason:") {
			d.hidden(j.position, j.rune)
		}
	}
}

// hiddenAt is IsHidden of a rune of a reason where it stands: what is invisible on its own is a
// part of what is seen inside an emoji, and after a letter of a script that joins. What a later
// Unicode than ours assigned is seen too.
func hiddenAt(text []rune, i int) bool {
	r := text[i]
	if !IsHidden(r) || isUnassigned(r) {
		return false
	}
	before, next := runeAt(text, i-1), runeAt(text, i+1)
	switch {
	case r == textStyle || r == emojiStyle:
		return !isEmoji(before) && !(isKey(before) && next == keycap)
	case r == joiner && (isEmoji(before) || before == emojiStyle && isEmoji(runeAt(text, i-2))):
		return !isEmoji(next)
	case r == joiner || r == nonJoiner:
		return !unicode.In(before, joining...) || !unicode.In(before, unicode.L, unicode.M)
	case r >= firstTag && r <= lastTag:
		return !inFlag(text, i)
	}
	return true
}

// runeAt is 0 outside the text.
func runeAt(text []rune, i int) rune {
	if i < 0 || i >= len(text) {
		return 0
	}
	return text[i]
}

// isEmoji tells whether a rune can be drawn as one, alone or with what follows: a symbol, a skin
// tone, or one of the few marks that have an emoji's form.
func isEmoji(r rune) bool {
	return unicode.In(r, unicode.So) || r >= lightestShade && r <= darkestShade ||
		slices.Contains([]rune{0x203C, 0x2049, 0x2194, 0x21A9, 0x21AA, 0x25FD, 0x25FE, 0x2934,
			0x2935, 0x3030}, r) || r > 0xffff && isUnassigned(r)
}

func isKey(r rune) bool { return r >= '0' && r <= '9' || r == '#' || r == '*' }

// inFlag tells whether a tag is part of one of the flags that are written so.
func inFlag(text []rune, i int) bool {
	start := i
	for start > 0 && text[start] >= firstTag && text[start] <= lastTag {
		start--
	}
	if text[start] != blackFlag {
		return false
	}
	end, region := start+1, []rune{}
	for ; end < len(text) && text[end] >= firstTag && text[end] < lastTag; end++ {
		region = append(region, text[end]-firstTag+' ')
	}
	return runeAt(text, end) == lastTag && i <= end && slices.Contains(flags, string(region))
}

// isUnassigned tells whether r is none of the characters that our tables know, in the planes where
// Unicode puts new letters and symbols.
func isUnassigned(r rune) bool {
	const otherPlanes = 0x40000 // tags, private use and nothing else
	return r < otherPlanes && !unicode.IsGraphic(r) &&
		!unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Z,
			unicode.Noncharacter_Code_Point)
}

// hiddenRune finds the first rune of a reason that a reader may fail to see.
func hiddenRune(s string) (r rune, where string, found bool) {
	text := []rune(s)
	for i, r := range text {
		if r != '\n' && hiddenAt(text, i) {
			return r, after(text, i), true
		}
	}
	return 0, "", false
}

// after tells what stands before a rune, on its line.
func after(text []rune, i int) string {
	const most = 12
	from := max(i-most, 0)
	for at := from; at < i; at++ {
		if text[at] == '\n' {
			from = at + 1
		}
	}
	if from == i {
		return ""
	}
	return " after " + Quote(string(text[from:i]))
}
