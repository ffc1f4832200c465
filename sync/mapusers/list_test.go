package mapusers

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/render"
)

var alice = Entry{ARN: "arn:aws:iam::111122223333:user/alice", Username: "alice@example.com",
	Request: "20261127-alice-inc-1"}

// shape is a file of testdata/awsauth: a list, and what becomes of it when alice is to be let in.
type shape struct {
	MapUsers string `yaml:"mapUsers"`
	MapRoles string `yaml:"mapRoles"`
	Adds     string // after every byte of the list; empty: nothing is to be done
	Refuses  string // words of the reason
}

func shapes(t testing.TB) map[string]shape {
	t.Helper()
	files, err := filepath.Glob("../../testdata/awsauth/*.yaml")
	if err != nil || len(files) < 16 {
		t.Fatalf("found %d shapes: %v", len(files), err)
	}
	all := map[string]shape{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s shape
		decoder := yaml.NewDecoder(bytes.NewReader(data))
		decoder.KnownFields(true)
		if err := decoder.Decode(&s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = s
	}
	return all
}

// TestShapes: whatever a list looks like, an entry is added behind it and taken away again without
// another byte changed, or refused with what to do.
func TestShapes(t *testing.T) {
	for name, s := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			l, err := Read(s.MapUsers, s.MapRoles)
			var texts []string
			if err == nil {
				steps, refused := taken(l, alice)
				for _, s := range steps {
					if s.Action == Add {
						texts = append(texts, s.text)
					}
				}
				if err = l.Admits(alice); (err == nil) != (len(refused) == 0) {
					t.Errorf("refused: %v, and admits: %v", refused, err)
				}
			}
			switch {
			case s.Refuses != "":
				if err == nil || !strings.Contains(err.Error(), s.Refuses) || len(texts) > 0 {
					t.Errorf("%v, want %s; %v", err, s.Refuses, texts)
				}
				return
			case err != nil:
				t.Fatal(err)
			case s.Adds == "":
				if len(texts) > 0 {
					t.Errorf("there is something to do: %v", texts)
				}
				return
			case len(texts) != 1 || texts[0] != s.MapUsers+s.Adds:
				t.Fatalf("%+v\nwant one text %q", texts, s.MapUsers+s.Adds)
			}
			after, err := Read(texts[0], s.MapRoles)
			if err != nil {
				t.Fatal(err)
			}
			if want := append(l.Entries, alice); !reflect.DeepEqual(after.Entries, want) {
				t.Errorf("it reads as %+v, want %+v", after.Entries, want)
			}
			kept := slices.DeleteFunc(slices.Clone(l.Entries),
				func(e Entry) bool { return e.Request == "" })
			removes, refused := taken(after, kept...)
			if len(removes) != 1 || len(refused) > 0 || removes[0].Action != Remove ||
				strings.TrimSuffix(removes[0].text, "\n") != strings.TrimSuffix(s.MapUsers, "\n") {
				t.Errorf("taken away: %+v %v", removes, refused)
			}
		})
	}
}

// TestMark: one entry a person, for the request that it is there for now.
func TestMark(t *testing.T) {
	later := alice
	later.Request = "20261127-alice-inc-2"
	const others = "- userarn: b # pullgrant 20261127-alice-inc-1\n  username: bob\n"
	l := reads(t, others+text(alice))
	steps, refused := taken(l, later)
	if len(steps) != 1 || len(refused) > 0 || steps[0].Action != Mark ||
		steps[0].text != others+text(later) {
		t.Errorf("%+v %v", steps, refused)
	}
}

// TestSteps: entries of pullgrant's that nobody wants go, one by one, and before anybody comes.
func TestSteps(t *testing.T) {
	other := alice
	other.Username = "al@example.com"
	bob := Entry{ARN: "arn:aws:iam::111122223333:user/bob", Username: "bob@example.com",
		Request: "20261127-bob-inc-3"}
	for name, c := range map[string]struct {
		list   string
		wanted []Entry
		want   []step
	}{
		"another name of the same person": {text(other), []Entry{alice},
			[]step{{Step{Remove, other}, ""}}},
		"an entry twice": {text(alice) + text(bob) + text(alice), []Entry{alice, bob},
			[]step{{Step{Remove, alice}, text(bob) + text(alice)}}},
		"one comes and one goes": {text(alice), []Entry{bob}, []step{{Step{Remove, alice}, ""},
			{Step{Add, bob}, text(alice) + text(bob)}}},
		"nobody": {"", nil, nil},
		"no entry of ours, but for its mark": {"- userarn: " + alice.ARN + " # pullgrant " +
			alice.Request + "\n  username: alice@example.com\n", nil, nil},
		"with groups that somebody gave": {text(alice) + "  groups: [ops]\n", nil, nil},
		"with groups in front":           {"- groups: [ops]\n  " + text(alice)[2:], nil, nil},
		"in a text": {"- userarn: b\n  username: |\n    " +
			strings.ReplaceAll(text(alice), "\n", "\n    ") + "\n", nil, nil},
		"as a group": {"- userarn: b\n  username: c\n  groups:\n  " +
			strings.ReplaceAll(text(alice), "\n ", "\n   "), nil, nil},
	} {
		steps, refused := taken(reads(t, c.list), c.wanted...)
		if !reflect.DeepEqual(steps, c.want) || len(refused) > 0 {
			t.Errorf("%s: %+v, want %+v; refused: %v", name, steps, c.want, refused)
		}
	}
}

// TestReformatted: an entry that was read and written again, mark and all, is told from others.
func TestReformatted(t *testing.T) {
	for name, c := range map[string]struct {
		list        string
		reformatted bool
	}{
		"as it was":      {text(alice), false},
		"without quotes": {strings.ReplaceAll(text(alice), `"`, ""), true},
		"in another order": {"- username: \"alice@example.com\"\n  userarn: " + alice.ARN +
			" # pullgrant 20261127-alice-inc-1\n", true},
		"without its mark": {"- userarn: " + alice.ARN + "\n  username: \"alice@example.com\"\n",
			false},
		"with another comment": {"- userarn: " + alice.ARN + " # pullgrant is great\n  " +
			"username: a\n", false},
		"on Windows": {strings.ReplaceAll(text(alice), "\n", "\r\n"), true},
	} {
		e := reads(t, c.list).Entries[0]
		if e.Reformatted != c.reformatted || c.reformatted && e.Request != "" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// TestRolesThatDoNotRead keep nobody out but roles, for mapRoles goes before mapUsers.
func TestRolesThatDoNotRead(t *testing.T) {
	l, err := Read("", "- rolearn: [")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Admits(alice); err != nil {
		t.Error(err)
	}
	role := alice
	role.ARN = "arn:aws:iam::111122223333:role/oncall"
	if err := l.Admits(role); err == nil || !strings.Contains(err.Error(),
		"mapRoles of aws-auth is no YAML") {
		t.Error(err)
	}
}

// TestCannotHold: what is no name or ARN of the list's form is not written into it.
func TestCannotHold(t *testing.T) {
	for _, e := range []Entry{
		{ARN: alice.ARN, Username: "oidc:alice", Request: alice.Request},
		{ARN: alice.ARN, Username: "system:admin", Request: alice.Request},
		{ARN: alice.ARN, Username: "a\"\n  groups: [system:masters] #", Request: alice.Request},
		{ARN: alice.ARN, Username: strings.Repeat("a", 254), Request: alice.Request},
		{ARN: alice.ARN, Username: "", Request: alice.Request},
		{ARN: alice.ARN, Username: "alice", Request: ""},
		{ARN: alice.ARN, Username: "alice", Request: "20261127-alice\n- x"},
		{ARN: "arn:aws:iam::111122223333:user/a #", Username: "alice", Request: alice.Request},
		{ARN: "arn:aws:iam::111122223333:role/a/b", Username: "alice", Request: alice.Request},
		{ARN: "", Username: "alice", Request: alice.Request},
	} {
		l := reads(t, "")
		steps, refused := taken(l, e)
		if l.Admits(e) == nil || len(steps) > 0 || len(refused) != 1 {
			t.Errorf("%+v: %v, %v", e, steps, refused)
		}
	}
}

// TestMost: nobody is let in by a list that is so long that they could not be taken out again.
func TestMost(t *testing.T) {
	comment := func(bytes int) string { return "#" + strings.Repeat("a", bytes-2) + "\n" }
	for name, c := range map[string]struct {
		list, refused string
	}{
		"long":      {comment(render.AWSMostBytes), ""},
		"too long":  {comment(render.AWSMostBytes + 1), "could be taken out again"},
		"many":      {many(render.AWSMostEntries - 1), ""},
		"too many":  {many(render.AWSMostEntries), "none could be taken out again"},
		"of others": {strings.ReplaceAll(many(render.AWSMostEntries), "# pullgrant", "#"), ""},
	} {
		l := reads(t, c.list)
		err := l.Admits(alice)
		if c.refused == "" && err != nil || c.refused != "" && (err == nil ||
			!strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		e := alice
		e.ARN += strconv.Itoa(i)
		b.WriteString(text(e))
	}
	return b.String()
}

// FuzzEdit: whatever a list is, an edit adds or takes away exactly what it says.
func FuzzEdit(f *testing.F) {
	for _, s := range shapes(f) {
		f.Add(s.MapUsers)
		f.Add(s.MapUsers + s.Adds)
	}
	f.Fuzz(func(t *testing.T, before string) {
		l, err := Read(before, "")
		if err != nil {
			return
		}
		for _, e := range l.Entries {
			if e.Request == "" {
				continue
			}
			if after, err := l.Remove(e); err == nil && (len(after) >= len(before) ||
				len(reads(t, after).Entries) != len(l.Entries)-1) {
				t.Errorf("%q without %+v is %q", before, e, after)
			}
		}
		after, err := l.Add(alice)
		if err != nil {
			return
		}
		rest, kept := strings.CutPrefix(after, before)
		if !kept || strings.TrimPrefix(rest, "\n") != l.block(alice) {
			t.Errorf("%q becomes %q", before, after)
		}
		again := reads(t, after)
		if want := append(slices.Clone(l.Entries), alice); !slices.Equal(again.Entries, want) {
			t.Errorf("%q reads as %+v, want %+v", after, again.Entries, want)
		}
		if without, err := again.Remove(alice); err != nil || strings.TrimSuffix(without,
			"\n") != strings.TrimSuffix(before, "\n") {
			t.Errorf("%q becomes %q: %v", after, without, err)
		}
	})
}

// TestManyGo: what it takes to know what is to be done does not grow with how much that is.
func TestManyGo(t *testing.T) {
	l := reads(t, many(render.AWSMostEntries))
	begin := time.Now()
	steps, refused := l.Steps(nil)
	if len(steps) != render.AWSMostEntries || len(refused) > 0 {
		t.Fatalf("%d steps, refused: %v", len(steps), refused)
	}
	after, err := l.After(steps[0])
	if want := l.Text()[len(text(alice))+1:]; err != nil || after != want {
		t.Errorf("the first is not gone: %v", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

// step is one, with the list after it.
type step struct {
	Step
	text string
}

// taken are the steps that can be taken, and who is refused by them.
func taken(l List, wanted ...Entry) (all []step, refused []Refusal) {
	steps, refused := l.Steps(wanted)
	for _, s := range steps {
		text, err := l.After(s)
		if err != nil {
			refused = append(refused, Refusal{s.Entry, err})
			continue
		}
		all = append(all, step{s, text})
	}
	return all, refused
}

func reads(t *testing.T, mapUsers string) List {
	t.Helper()
	l, err := Read(mapUsers, "")
	if err != nil {
		t.Fatalf("%q: %v", mapUsers, err)
	}
	return l
}

// text is an entry as it stands in a list at the left.
func text(e Entry) string { return List{}.block(e) }
