package policies_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/findings"
)

const rotaHead = `apiVersion: pullgrant.dev/v1alpha1
kind: Rota
metadata: {name: payments}
spec:
  timeZone: Europe/Stockholm
`

const everyDay = "days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun]"

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

// TestRota: who is on call just before and just after a shift begins and ends, as clocks are changed,
// on a leap day, at midnight, as turns pass on, and with overrides (R88).
func TestRota(t *testing.T) {
	night := rotaHead + "  shifts:\n    - {people: [alice], " + everyDay + `, from: "01:30", to: "03:30"}` + "\n"
	turns := rotaHead + "  shifts:\n    - {people: [alice, bob, carol], " + everyDay +
		`, from: "09:00", to: "09:00", since: "2026-10-19"}` + "\n"
	midnight := rotaHead + `  shifts: [{people: [alice], days: [Sat], from: "22:00", to: "24:00"}]` + "\n"
	monday := rotaHead + `  shifts: [{people: [Alice, bob], days: [Mon], from: "09:00", to: "17:00"}]` + "\n"
	override := turns + "  overrides:\n    - {person: carol, from: 2026-10-20T10:00:00Z, to: " +
		"2026-10-20T12:00:00Z, by: carol}\n    - {person: bob, from: 2026-10-20T11:00:00Z, to: " +
		"2026-10-20T13:00:00Z, by: alice}\n"
	for _, c := range []struct {
		name, rota, moment string
		on                 string // those of alice, bob and carol who are
		text               string // of alice's reply
	}{
		{"a second before it begins", night, "2026-11-23T00:29:59Z", "", "nobody is"},
		{"as it begins", night, "2026-11-23T00:30:00Z", "alice", ""},
		{"a second before it ends", night, "2026-11-23T02:29:59Z", "alice", ""},
		{"as it ends", night, "2026-11-23T02:30:00Z", "", "nobody is"},
		{"spring: two hours shown are one", night, "2026-03-29T00:29:59Z", "", ""},
		{"spring: it begins in winter time", night, "2026-03-29T00:30:00Z", "alice", ""},
		{"spring: it ends in summer time", night, "2026-03-29T01:29:59Z", "alice", ""},
		{"spring: and is over", night, "2026-03-29T01:30:00Z", "", ""},
		{"autumn: two hours shown are three", night, "2026-10-24T23:29:59Z", "", ""},
		{"autumn: it begins in summer time", night, "2026-10-24T23:30:00Z", "alice", ""},
		{"autumn: it ends in winter time", night, "2026-10-25T02:29:59Z", "alice", ""},
		{"autumn: and is over", night, "2026-10-25T02:30:00Z", "", ""},
		{"leap day", night, "2028-02-29T00:30:00Z", "alice", ""},
		{"before midnight", midnight, "2026-11-28T22:59:59Z", "alice", ""},
		{"at midnight", midnight, "2026-11-28T23:00:00Z", "", ""},
		{"before the first turn", turns, "2026-10-19T06:59:59Z", "", "nobody is"},
		{"the first turn", turns, "2026-10-19T07:00:00Z", "alice", ""},
		{"the last second of it, an hour later by clocks set back", turns, "2026-10-26T07:59:59Z", "alice", ""},
		{"the second turn", turns, "2026-10-26T08:00:00Z", "bob", "@bob is"},
		{"the third turn", turns, "2026-11-02T08:00:00Z", "carol", "@carol is"},
		{"the first one again", turns, "2026-11-09T08:00:00Z", "alice", ""},
		{"in summer, 23 weeks later", turns, "2027-04-05T07:00:00Z", "alice", ""},
		{"together, whatever the case", monday, "2026-11-23T10:00:00Z", "alice bob", ""},
		{"before an override", override, "2026-10-20T09:59:59Z", "alice", ""},
		{"in an override", override, "2026-10-20T10:00:00Z", "carol", "@carol is"},
		{"in two", override, "2026-10-20T11:00:00Z", "bob carol", "@bob, @carol are"},
		{"one is left", override, "2026-10-20T12:00:00Z", "bob", "@bob is"},
		{"behind them", override, "2026-10-20T13:00:00Z", "alice", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			moment := instant(t, c.moment)
			var on []string
			for _, login := range []string{"alice", "bob", "carol"} {
				r, _ := policies.OnCallBy(c.rota, login, moment, moment)
				if r.Verdict == policies.Yes {
					on = append(on, login)
				}
				if login == "alice" && !strings.Contains(r.Text, c.text) {
					t.Errorf("alice is told %q, not %q", r.Text, c.text)
				}
			}
			if got := strings.Join(on, " "); got != c.on {
				t.Errorf("on call: %q, want %q", got, c.on)
			}
		})
	}
	if r, _ := policies.OnCallBy(override, "carol", instant(t, "2026-10-20T10:00:00Z"), time.Time{}); !strings.Contains(
		r.Text, "an override that @carol made for themselves, until 2026-10-20T12:00:00Z") {
		t.Errorf("her own override is told as %q", r.Text)
	}
	if r, _ := policies.OnCallBy(override, "bob", instant(t, "2026-10-20T12:30:00Z"), time.Time{}); !strings.Contains(
		r.Text, "an override that @alice made, until 2026-10-20T13:00:00Z") {
		t.Errorf("an override of another is told as %q", r.Text)
	}
}

// TestRotaNext: the moment that is named is the first at which somebody is on call: not a second
// before it, and at it.
func TestRotaNext(t *testing.T) {
	rota := rotaHead + "  shifts:\n    - {people: [alice, bob], " + everyDay +
		`, from: "09:00", to: "09:00", since: "2026-10-19"}` + "\n" +
		"  overrides:\n    - {person: carol, from: 2026-10-26T00:00:00Z, to: 2026-10-27T12:00:00Z, by: bob}\n"
	for _, c := range []struct{ login, from, last, want string }{
		{"bob", "2026-10-25T12:00:00Z", "2026-10-30T00:00:00Z", "2026-10-27T12:00:00Z"},
		{"bob", "2026-10-25T12:00:00Z", "2026-10-27T12:00:00Z", "2026-10-27T12:00:00Z"},
		{"bob", "2026-10-25T12:00:00Z", "2026-10-27T11:59:59Z", ""},
		{"carol", "2026-10-25T12:00:00Z", "2026-10-30T00:00:00Z", "2026-10-26T00:00:00Z"},
		{"carol", "2026-10-28T12:00:00Z", "2026-12-30T00:00:00Z", ""},
		{"dave", "2026-10-25T12:00:00Z", "2026-12-30T00:00:00Z", ""},
		{"alice", "2026-10-28T12:00:00Z", "2026-11-30T00:00:00Z", "2026-11-02T08:00:00Z"},
	} {
		_, next := policies.OnCallBy(rota, c.login, instant(t, c.from), instant(t, c.last))
		got := ""
		if !next.IsZero() {
			got = next.UTC().Format(time.RFC3339)
			before, _ := policies.OnCallBy(rota, c.login, next.Add(-time.Second), next)
			then, _ := policies.OnCallBy(rota, c.login, next, next)
			if before.Verdict != policies.No || then.Verdict != policies.Yes {
				t.Errorf("%s at %s: %v, a second before %v", c.login, got, then, before)
			}
		}
		if got != c.want {
			t.Errorf("%s after %s: %q, want %q", c.login, c.from, got, c.want)
		}
	}
}

// TestRotaIsStrict: what is wrong with a rota is found where it stands, and puts nobody on call.
func TestRotaIsStrict(t *testing.T) {
	shift := `  shifts: [{people: [alice], ` + everyDay + `, from: "00:00", to: "24:00"}]` + "\n"
	over := func(rest string) string {
		return rotaHead + shift + "  overrides: [{person: bob, from: 2026-11-28T08:00:00Z, " + rest + "by: bob}]\n"
	}
	instead := func(old, text string) string { return strings.Replace(rotaHead+shift, old, text, 1) }
	for text, want := range map[string]string{
		rotaHead:                                           "5:3: spec.shifts is required",
		rotaHead + "  shifts: []\n":                        "spec.shifts",
		rotaHead + shift + "  x: 1\n":                      "7:3: unknown field",
		instead("Europe/Stockholm", "CEST"):                "5:13: spec.timeZone",
		instead("[alice]", "[alice, Alice]"):               "it stands in this shift twice",
		instead("[alice]", "[alice@acme.com]"):             "6:22: spec.shifts[0].people[0]",
		instead("[alice]", "[]"):                           "spec.shifts[0].people",
		instead(`"24:00"`, `"24:00", since: "2026-02-30"`): "spec.shifts[0].since",
		instead("Mon,", "Monday,"):                         "spec.shifts[0].days[0]",
		over(""):                                           "overrides[0].to is required",
		over("to: 2026-11-28T08:00:00Z, "):                 "7:61: spec.overrides[0].to is 2026-11-28T08:00:00Z; it",
		instead("payments", "billing"):                     "3:18: metadata.name",
	} {
		_, found := policies.ParseRota(policies.RotaPath("payments"), []byte(text))
		if len(found) == 0 || !slices.ContainsFunc(strings.Split(fmt.Sprint(found), "policies/"),
			func(one string) bool { return strings.Contains(one, want) }) {
			t.Errorf("found %v, want %q in\n%s", found, want, text)
		}
		moment := instant(t, "2026-11-28T08:00:00Z")
		if r, next := policies.OnCallBy(text, "alice", moment, moment.Add(time.Hour)); r.Verdict != policies.No ||
			!next.IsZero() {
			t.Errorf("alice is on call: %+v by\n%s", r, text)
		}
	}
}

// FuzzParseRota reads whatever bytes as a rota: findings lie within the file, and one that is accepted
// has the same people on call whenever it is asked, none beside those in it.
func FuzzParseRota(f *testing.F) {
	f.Add([]byte(rotaHead+"  shifts: [{people: [alice, bob], "+everyDay+
		`, from: "09:00", to: "09:00", since: "2026-10-19"}]`+"\n"), int64(1795000000))
	f.Add([]byte(rotaHead+`  shifts: [{people: [alice], days: [Sun], from: "02:30", to: "24:00"}]`+"\n"+
		"  overrides: [{person: bob, from: 2026-10-25T00:00:00Z, to: 2026-10-26T00:00:00Z, by: bob}]\n"),
		int64(1792890000))
	f.Fuzz(func(t *testing.T, data []byte, seconds int64) {
		r, found := policies.ParseRota(policies.RotaPath("payments"), data)
		if findings.Within(t, data, found); len(found) > 0 {
			if !reflect.DeepEqual(r, policies.Rota{}) {
				t.Fatalf("with findings it is %+v", r)
			}
			return
		}
		if len(r.Spec.Shifts) == 0 || r.Metadata.Name != "payments" {
			t.Fatalf("accepted: %+v", r)
		}
		moment := time.Unix(seconds%(1<<33), 0)
		one, next := policies.OnCallBy(string(data), "nobody-is-called-so", moment, moment.Add(24*time.Hour))
		again, _ := policies.OnCallBy(string(data), "nobody-is-called-so", moment, moment)
		if one.Verdict != policies.No && !strings.Contains(strings.ToLower(string(data)), "nobody-is-called-so") ||
			one != again || !next.IsZero() && !next.After(moment) {
			t.Fatalf("%+v, again %+v, next %s", one, again, next)
		}
	})
}
