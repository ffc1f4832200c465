package policies

import (
	"fmt"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Rota says in git who is on call when, for those who have no service that knows.
type Rota struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       RotaSpec          `yaml:"spec" json:"spec"`
}

// KindRota is the kind of a rota's file, RotasFolder where they stand.
const (
	KindRota    = "Rota"
	RotasFolder = Folder + "/rotas"
)

// RotaSpec is the content of a Rota.
type RotaSpec struct {
	Description string     `yaml:"description,omitempty" json:"description,omitempty"`
	TimeZone    string     `yaml:"timeZone" json:"timeZone"` // of the clocks that shifts go by
	Shifts      []Shift    `yaml:"shifts" json:"shifts"`
	Overrides   []Override `yaml:"overrides,omitempty" json:"overrides,omitempty"`
}

// Shift is a time of the week with those who are on call in it.
type Shift struct {
	People []string `yaml:"people" json:"people"` // GitHub logins
	Days   []string `yaml:"days" json:"days"`     // on which it begins
	From   string   `yaml:"from" json:"from"`
	To     string   `yaml:"to" json:"to"` // not after From: of the next day
	// the day on which the first of People begins when they take turns, each for a week; "": they are
	// on call together
	Since string `yaml:"since,omitempty" json:"since,omitempty"`
}

// Override puts somebody on call for a time, in place of whoever has a shift then.
type Override struct {
	Person string        `yaml:"person" json:"person"`
	From   requests.Time `yaml:"from" json:"from"`
	To     requests.Time `yaml:"to" json:"to"` // the first moment after it
	By     string        `yaml:"by" json:"by"` // the author of the change that brought it
}

// RotaPath is where a rota stands.
func RotaPath(name string) string { return RotasFolder + "/" + name + ".yaml" }

// IsRota tells whether a file stands where the rotas do.
func IsRota(path string) bool { return isUnder(path, RotasFolder) }

// RotaFormat is the format of a rota.
var RotaFormat = requests.Format{
	Kind: KindRota,
	About: "Says who is on call when, for policies that ask by a challenge OnCall. Stands at " +
		RotasFolder + "/<name>.yaml.",
	Name: requests.Field{About: "Name of the rota; the file's name without .yaml.",
		Form: requests.FormName},
	Fields: rotaFields,
}

// Bounds of a rota: of its shifts, of the people in one, and of its overrides.
const (
	maxShifts    = 50
	maxOnShift   = 50
	maxOverrides = 200
)

var rotaFields = requests.HeaderFields(KindRota, "Who is on call when.").With(requests.Fields{
	"RotaSpec.description": {About: "One sentence for those who change the rota."},
	"RotaSpec.timeZone":    windowFields["Hours.timeZone"],
	"RotaSpec.shifts":      {About: "Times of the week, each with its people.", Min: 1, Max: maxShifts},
	"RotaSpec.overrides": {About: "Times in which somebody else is on call. Those that are over can be " +
		"taken out.", Min: 1, Max: maxOverrides},

	"Shift.people": {About: "GitHub logins of those who are on call in it: together, or one after the " +
		"other where since is set.", Form: requests.FormLogin, Min: 1, Max: maxOnShift, Unique: true},
	"Shift.days": {About: "Days of the week on which it begins.", Min: 1, Unique: true,
		Form: windowFields["Hours.days"].Form},
	"Shift.from": windowFields["Hours.from"],
	"Shift.to":   windowFields["Hours.to"],
	"Shift.since": {About: "Day such as 2026-11-02 on which the first of people begins; from then on they " +
		"take turns, each for a week.", Form: formDay},

	"Override.person": {About: "GitHub login of who is on call then, in place of whoever has a shift.",
		Form: requests.FormLogin},
	"Override.from": {About: "When it begins, in UTC, such as 2026-11-28T08:00:00Z."},
	"Override.to":   {About: "When it is over, in UTC."},
	"Override.by": {About: "GitHub login of who says so: the author of the pull request that brings it.",
		Form: requests.FormLogin},
})

// dayForm is what the schema knows of a day.
const dayForm = `^20[0-9]{2}-[01][0-9]-[0-3][0-9]$`

var formDay = requests.Form{Rule: "day", Pattern: dayForm, Check: func(s string) string {
	if _, ok := dayOf(s); ok {
		return ""
	}
	return "it must be a day such as 2026-11-02"
}}

// dayOf is the beginning of a day, as if it were in UTC.
func dayOf(s string) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, s)
	return day, err == nil && day.Year() >= 2000 && day.Year() < 2100
}

// ParseRota reads the file of one rota strictly. With findings nobody is on call by it.
func ParseRota(path string, data []byte) (Rota, []requests.Finding) {
	const maxSize = 256 << 10
	r, d := requests.Decode[Rota](path, data, maxSize)
	if len(d.Findings) > 0 {
		return Rota{}, d.Findings
	}
	d.Conform(RotaFormat, r)
	if IsRota(path) && path != RotaPath(r.Metadata.Name) {
		d.Check("metadata.name", "path", r.Metadata.Name, "it must be the file's name without "+
			".yaml, directly in "+RotasFolder)
	}
	for i, s := range r.Spec.Shifts {
		at := fmt.Sprintf("spec.shifts[%d]", i)
		for n, login := range s.People {
			if has(s.People[:n], login) {
				d.Check(fmt.Sprintf("%s.people[%d]", at, n), "duplicate", login, "it stands in this shift twice")
			}
		}
	}
	for i, o := range r.Spec.Overrides {
		at := fmt.Sprintf("spec.overrides[%d]", i)
		if d.Has(at+".from") && d.Has(at+".to") && !o.From.Before(o.To.Time) {
			d.Add(at+".to", "window", "%s.to is %s; it must be after from, %s", at, o.To, o.From)
		}
	}
	requests.SortFindings(d.Findings)
	if len(d.Findings) > 0 {
		return Rota{}, d.Findings
	}
	return r, nil
}

// rotaFile is a rota as a tree has it.
type rotaFile struct {
	path string
	Rota
	findings []requests.Finding // what is wrong with it: then nobody is on call by it
}

// Rules of findings about a rota that is not there, and an override that is somebody else's.
const (
	ruleNoRota   = "rota"
	ruleOverride = "override"
)

// rota reads one of the tree. One that is not there has a finding.
func (t Tree) rota(path string) rotaFile {
	r := rotaFile{path: path}
	if _, ok := t.Files[path]; !ok {
		r.findings = []requests.Finding{{File: path, Line: 1, Column: 1, Rule: ruleNoRota,
			Message: "there is no " + path + ", which a challenge OnCall asks"}}
		return r
	}
	r.Rota, r.findings = parse(t, path, ParseRota)
	return r
}

// rotas are all of the tree, in the order of their paths.
func (t Tree) rotas() []rotaFile { return filesOf(t, IsRota, t.rota) }

// rotasOf are those that some challenges ask, by name.
func (t Tree) rotasOf(challenges []Challenge) map[string]rotaFile {
	all := map[string]rotaFile{}
	for _, c := range parts("", challenges) {
		if c.Rota != "" {
			all[c.Rota] = t.rota(RotaPath(c.Rota))
		}
	}
	return all
}

// String is a shift as people read it.
func (s Shift) String() string {
	who := "@" + strings.Join(s.People, " and @")
	if s.Since != "" {
		who = fmt.Sprintf("@%s in turn, a week each from %s on,", strings.Join(s.People, ", @"), s.Since)
	}
	return fmt.Sprintf("%s on %s from %s to %s", who, strings.Join(s.Days, ", "), s.From, s.To)
}

// String is an override as people read it.
func (o Override) String() string {
	return fmt.Sprintf("@%s in place of the others from %s to %s, as @%s says", o.Person, o.From, o.To, o.By)
}
