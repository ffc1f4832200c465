package convert_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/convert"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/findings"
)

var update = flag.Bool("update", false, "write what the conversions are to make")

const folder = "../../testdata/convert"

var today = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// conversion is one file of testdata/convert.
type conversion struct {
	file    string
	comment []byte
	given   []txtar.File // options and sources, as they stand in it
	options convert.Options
	sources []convert.Source
	want    string
}

func conversions(t testing.TB) (all []conversion) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s holds %d files, %v", folder, len(files), err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := conversion{file: file, comment: archive.Comment,
			options: convert.Options{Cluster: "prod-eu", Today: today}}
		var want []txtar.File
		for _, section := range archive.Files {
			kind, name, _ := strings.Cut(section.Name, " ")
			switch kind {
			case "options":
				for line := range strings.Lines(string(section.Data)) {
					option, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
					switch option {
					case "policy":
						c.options.Policy = value
					case "requester":
						c.options.Requester = value
					case "reason":
						c.options.Reason = value
					default:
						t.Fatalf("%s: there is no option %s", file, option)
					}
				}
				c.given = append(c.given, section)
			case "in":
				c.sources = append(c.sources, convert.Source{Name: name, Data: section.Data})
				c.given = append(c.given, section)
			case "out", "findings":
				want = append(want, section)
			default:
				t.Fatalf("%s: unknown section %s", file, section.Name)
			}
		}
		c.want = string(txtar.Format(&txtar.Archive{Files: want}))
		all = append(all, c)
	}
	return all
}

// load is what our own loader says of a file that was made.
func load(f convert.File) []requests.Finding {
	if strings.HasPrefix(f.Path, policies.Folder+"/") {
		_, all := policies.ParsePolicy(f.Path, f.Data)
		return all
	}
	_, all := requests.ParseRequest(f.Path, f.Data)
	return all
}

// TestConversions: each file of testdata/convert becomes what it says, and whatever keeps a file that
// was made from loading has been told.
func TestConversions(t *testing.T) {
	loaded := 0
	for _, c := range conversions(t) {
		files, told := convert.Convert(c.sources, c.options)
		var got txtar.Archive
		for _, f := range files {
			got.Files = append(got.Files, txtar.File{Name: "out " + f.Path, Data: f.Data})
			for _, f := range load(f) {
				if !strings.Contains(fmt.Sprint(told), strings.TrimSuffix(f.Message, " is required")) {
					t.Errorf("%s: nothing was told of %s", c.file, f)
				}
			}
			if len(load(f)) == 0 {
				loaded++
			}
		}
		var lines strings.Builder
		for _, f := range told {
			fmt.Fprintln(&lines, f)
		}
		got.Files = append(got.Files, txtar.File{Name: "findings", Data: []byte(lines.String())})
		if text := string(txtar.Format(&got)); text != c.want {
			if !*update {
				t.Errorf("%s: got\n%swant:\n%s", c.file, text, c.want)
				continue
			}
			whole := &txtar.Archive{Comment: c.comment, Files: append(c.given, got.Files...)}
			if err := os.WriteFile(c.file, txtar.Format(whole), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if loaded < 10 {
		t.Errorf("only %d of the files that were made load", loaded)
	}
}

// TestKudosWords: of a policy of Kudo's only apiVersion, kind and clusters become others.
func TestKudosWords(t *testing.T) {
	data := kudo(t)
	files, told := convert.Convert([]convert.Source{{Name: "in.yaml", Data: []byte(data)}},
		convert.Options{Cluster: "prod-eu", Today: today})
	if len(files) != 1 || len(told) != 0 {
		t.Fatalf("%d files, %v", len(files), told)
	}
	want := strings.NewReplacer("k8s.kudo.dev/v1alpha1", requests.APIVersion, "EscalationPolicy",
		policies.KindAccessPolicy, "spec:\n", "spec:\n  clusters:\n    - prod-eu\n").Replace(data)
	if got := string(files[0].Data); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// kudo is the policy of Kudo's documentation.
func kudo(t *testing.T) string {
	t.Helper()
	for _, c := range conversions(t) {
		if filepath.Base(c.file) == "kudo_policy.txtar" {
			return string(c.sources[0].Data)
		}
	}
	t.Fatal("there is no conversion of Kudo's policy")
	return ""
}

// TestBounds: what is too large, too deep or named like a path becomes no file.
func TestBounds(t *testing.T) {
	const policy = "apiVersion: k8s.kudo.dev/v1alpha1\nkind: EscalationPolicy\nmetadata: {name: %s}\n" +
		"spec: {challenges: [{kind: PeerReview}]}\n"
	for want, data := range map[string]string{
		"bytes; the most that is read": strings.Repeat("#", convert.MaxSize+1),
		"nested more than":             strings.Repeat("[", 50) + strings.Repeat("]", 50),
		`metadata.name is "../x"`:      fmt.Sprintf(policy, "../x"),
		`metadata.name is ""`:          fmt.Sprintf(policy, "[]"),
		"there is no YAML document":    "\n---\n---\n",
		"an anchor or alias":           "a: &a [1]\nb: *a\n",
		"a tag":                        "a: !!str 1\n",
		"stands here again":            "a: 1\na: 2\n",
		"a key must be a plain word":   "{[a]: 1}\n",
		"not YAML":                     "a: [",
		"other line breaks":            "a: 1\rb: 2\n",
		"must be a mapping":            "- a\n",
	} {
		files, told := convert.Convert([]convert.Source{{Name: "in.yaml", Data: []byte(data)}},
			convert.Options{Cluster: "prod-eu", Today: today})
		if len(files) != 0 || len(told) != 1 || !strings.Contains(told[0].Message, want) ||
			told[0].Rule != convert.RuleUnreadable {
			t.Errorf("%q: %d files, %v", want, len(files), told)
		}
	}
}

// TestFindingInAComment: what is wrong with a comment, which is no value, is told of the value before it.
func TestFindingInAComment(t *testing.T) {
	data := strings.Replace(kudo(t), "  challenges:", "  # \u200b\n  challenges:", 1)
	_, told := convert.Convert([]convert.Source{{Name: "in.yaml", Data: []byte(data)}},
		convert.Options{Cluster: "prod-eu", Today: today})
	if len(told) != 1 || told[0].Rule != "hidden-character" || told[0].Line != 9 {
		t.Errorf("told %v", told)
	}
}

// FuzzConvert: whatever is read, nothing panics, files stand where files of ours do and nowhere twice,
// findings are within the source, and what does not load has been told.
func FuzzConvert(f *testing.F) {
	for _, c := range conversions(f) {
		var whole []string
		for _, source := range c.sources {
			whole = append(whole, string(source.Data))
		}
		f.Add([]byte(strings.Join(whole, "\n---\n")), c.options.Policy, c.options.Requester)
	}
	f.Fuzz(func(t *testing.T, data []byte, policy, requester string) {
		o := convert.Options{Cluster: "prod-eu", Reason: "INC-123, checkout is slow", Today: today}
		if requests.CheckName(policy) == "" {
			o.Policy = policy
		}
		if requests.CheckLogin(requester) == "" {
			o.Requester = requester
		}
		files, told := convert.Convert([]convert.Source{{Name: "in.yaml", Data: data}}, o)
		findings.Within(t, data, told)
		seen := map[string]bool{}
		for _, file := range files {
			name := strings.TrimSuffix(strings.TrimPrefix(file.Path, policies.Folder+"/"), ".yaml")
			_, isRequest := requests.SplitPath(file.Path)
			if seen[file.Path] || !isRequest && requests.CheckName(name) != "" {
				t.Fatalf("a file at %q", file.Path)
			}
			seen[file.Path] = true
			if len(load(file)) > 0 && len(told) == 0 {
				t.Fatalf("nothing was told of %v", load(file))
			}
		}
	})
}
