package policies

import (
	"reflect"
	"slices"
	"sync"

	"github.com/pullgrant/pullgrant/requests"
)

// maxParsed bounds, in bytes of the files, what is kept of them in each of two generations.
const maxParsed = 8 << 20

// parsed is what files of trees were read as. Every judgement reads the same few policies, people
// and roles again, which took most of its time. What is kept is shared by all who read it, also
// beside each other: nobody changes it.
var parsed = memo{most: maxParsed}

type memo struct {
	most       int // bytes of the files in each generation
	mu         sync.Mutex
	young, old map[parsedFile]any
	bytes      int // of the files in young
}

// parsedFile is a file as one format reads it. Findings tell its name.
type parsedFile struct {
	format        reflect.Type
	name, content string
}

type reading[T any] struct {
	value    T
	findings []requests.Finding
}

// readOnce is what read makes of a file. The findings are the caller's own.
func readOnce[T any](m *memo, name, content string,
	read func(string, []byte) (T, []requests.Finding)) (T, []requests.Finding) {
	key := parsedFile{reflect.TypeFor[T](), name, content}
	if kept, ok := m.get(key); ok {
		r := kept.(reading[T])
		return r.value, slices.Clone(r.findings)
	}
	value, findings := read(name, []byte(content))
	m.keep(key, reading[T]{value, slices.Clone(findings)})
	return value, findings
}

func (m *memo) get(key parsedFile) (any, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, ok := m.young[key]
	if !ok {
		if kept, ok = m.old[key]; ok {
			m.add(key, kept)
		}
	}
	return kept, ok
}

func (m *memo) keep(key parsedFile, value any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(key, value)
}

// add puts a reading among the young ones. What was not asked for since the generation before goes.
func (m *memo) add(key parsedFile, value any) {
	size := len(key.name) + len(key.content)
	if m.young == nil || m.bytes+size > m.most {
		m.young, m.old, m.bytes = map[parsedFile]any{}, m.young, 0
	}
	m.young[key] = value
	m.bytes += size
}
