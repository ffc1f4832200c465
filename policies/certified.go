package policies

import (
	"fmt"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Certification says that who may ask for what under a policy was looked at and is still meant.
type Certification struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       CertificationSpec `yaml:"spec" json:"spec"`
}

// KindCertification is the kind of a certification's file, CertifiedFolder where they stand.
const (
	KindCertification = "Certification"
	CertifiedFolder   = Folder + "/certified"
)

// CertificationSpec is the content of a Certification. Until when it holds, its merge tells and
// not its day (R82).
type CertificationSpec struct {
	Day  requests.Day `yaml:"day" json:"day"`
	List []string     `yaml:"list" json:"list"` // Tree.WhoAndWhat
}

// CertificationPath is where the certification of a policy stands.
func CertificationPath(policy string) string { return CertifiedFolder + "/" + policy + ".yaml" }

// IsCertification tells whether a file stands where the certifications do.
func IsCertification(path string) bool { return isUnder(path, CertifiedFolder) }

// CertificationFormat is the format of a certification.
var CertificationFormat = requests.Format{
	Kind: KindCertification,
	About: "Says that who may ask for what under a policy was looked at. Stands at " +
		CertifiedFolder + "/<policy>.yaml; pullgrant policy recertify writes it.",
	Name: requests.Field{About: "Name of the policy; the file's name without .yaml.",
		Form: requests.FormName},
	Fields: requests.HeaderFields(KindCertification, "What was looked at, and when.").With(
		requests.Fields{
			"CertificationSpec.day": {About: "Day on which it was written, such as 2026-11-23. The " +
				"policy's time begins with the merge, whatever the day."},
			"CertificationSpec.list": {About: "Who may ask for what under the policy, as pullgrant " +
				"policy recertify writes it.", Min: 1, Form: requests.Form{Rule: "list",
				Pattern: `.`, Check: func(s string) string {
					if s == "" {
						return "it may not be empty"
					}
					return ""
				}}},
		}),
}

var recertifyFields = requests.Fields{
	"PolicySpec.recertify": {About: "For how many days the policy grants after the merge that certified " +
		"it, such as 90d; before the first, after the one that changed it last. Default: always."},
}

// ParseCertification reads one certification strictly.
func ParseCertification(path string, data []byte) (Certification, []requests.Finding) {
	const maxSize = 512 << 10 // a policy's list is shorter than twice the policy
	c, d := requests.Decode[Certification](path, data, maxSize)
	if len(d.Findings) > 0 {
		return c, d.Findings
	}
	d.Conform(CertificationFormat, c)
	if IsCertification(path) && path != CertificationPath(c.Metadata.Name) {
		d.Check("metadata.name", "path", c.Metadata.Name, "it must be the file's name without "+
			".yaml, directly in "+CertifiedFolder)
	}
	requests.SortFindings(d.Findings)
	return c, d.Findings
}

// Certify is the file that certifies a policy of the tree on a day.
func (t Tree) Certify(policy AccessPolicy, now time.Time) (data []byte, err error) {
	return requests.Marshal(Certification{APIVersion: requests.APIVersion, Kind: KindCertification,
		Metadata: requests.Metadata{Name: policy.Metadata.Name},
		Spec:     CertificationSpec{Day: requests.DayOf(now), List: t.WhoAndWhat(policy)}})
}

// WhoAndWhat says in lines who may ask under a policy, and for what. Everybody who may is in them,
// but for the members of GitHub teams: those are GitHub's to tell.
func (t Tree) WhoAndWhat(policy AccessPolicy) (lines []string) {
	w, spec := t.world(policy), policy.Spec
	parties := func(all []Party, who, does string) {
		for _, p := range all {
			switch members, _ := w.groups.members(p.Name); {
			case p.Kind == PartyUser:
				lines = append(lines, who+p.Name+does)
			case p.isTeam():
				lines = append(lines, who+"whoever is in the GitHub team "+p.Name+does)
			default:
				for _, member := range members {
					lines = append(lines, who+member+", of the group "+p.Name+","+does)
				}
			}
		}
	}
	parties(spec.Subjects, "", " may ask")
	parties(spec.OnBehalfOf, "on behalf of ", " too")
	if b := spec.BreakGlass; b != nil {
		parties(b.Subjects, "", " may break the glass, for at most "+b.MaxDuration.String())
	}
	for _, cluster := range spec.Clusters {
		lines = append(lines, "on "+cluster)
	}
	for _, g := range spec.Target.Grants {
		lines = append(lines, "for "+g.String())
	}
	return append(lines, "for at most "+spec.Target.MaxDuration.String())
}

// Dated are the files of a tree of which must be known when they changed last, to judge a request
// at path: those that its approvers go by, and those that begin the policy's time.
func (t Tree) Dated(path string) []string {
	paths := t.Reviewed(path)
	place, ok := requests.SplitPath(path)
	policy, _ := parse(t, Path(place.Policy), ParsePolicy)
	if ok && policy.Spec.Recertify > 0 {
		paths = append(paths, CertificationPath(place.Policy))
	}
	return paths
}

// certified refuses what a policy would give whose time ran out with nobody certifying it (R82).
// What tells of no merge begins no time.
func (j *judge) certified() string {
	every, name := j.world.policy.Spec.Recertify, j.decision.Policy
	if every == 0 {
		return ""
	}
	file := j.tree.Certifying(name)
	if m := j.facts.Merge; m != nil && m.FirstParent.Certifying(name) == Path(name) {
		file = Path(name) // what certified it first came after the merge, which counts
	}
	if _, findings := parse(j.tree, CertificationPath(name), ParseCertification); len(findings) > 0 {
		return j.field("spec.policy", NotCertified, fmt.Sprintf("the policy %s is not certified: %s; %s",
			name, findings[0], howCertified(name)))
	}
	i := slices.IndexFunc(j.facts.Changes, func(c Change) bool { return c.Path == file })
	if i < 0 || j.facts.Changes[i].MergedAt == nil {
		return j.field("spec.policy", NotCertified, fmt.Sprintf("the policy %s must be certified every "+
			"%s, and no merged pull request is known that changed %s last, so nobody knows since when; %s",
			name, every, file, howCertified(name)))
	}
	merged := j.facts.Changes[i].MergedAt
	if end := merged.Add(every.Long()); !j.facts.judgedAt(j.now).Before(end) {
		return j.field("spec.policy", NotCertified, fmt.Sprintf("the policy %s grants nothing since %s: "+
			"nobody certified it for %s, from the merge of %s at %s on; %s", name, requests.At(end), every,
			file, merged, howCertified(name)))
	}
	return ""
}

func howCertified(policy string) string {
	return fmt.Sprintf("have somebody run `pullgrant policy recertify`, and another owner of %s approve "+
		"the pull request that it opens", CertificationPath(policy))
}

// certifies refuses a change that certifies something else than what the policy says (R83): whoever
// approves it goes by the list.
func (j *judge) certifies() string {
	for _, f := range j.facts.Files {
		if !IsCertification(f.Path) || f.Status == "removed" {
			continue
		}
		c, findings := parse(j.facts.Head, f.Path, ParseCertification)
		if len(findings) > 0 {
			continue // which resultingTree tells
		}
		policy, ok, _ := j.tree.Policy(c.Metadata.Name)
		latest := requests.DayOf(j.facts.judgedAt(j.now).Add(maxFuture))
		switch {
		case !ok || policy.Spec.Recertify == 0:
			return fmt.Sprintf("%s certifies no policy that has to be: %s has no spec.recertify; remove it",
				f.Path, Path(c.Metadata.Name))
		case !slices.Equal(c.Spec.List, j.tree.WhoAndWhat(policy)):
			return fmt.Sprintf("%s does not list what %s says by now; close this pull request, remove its "+
				"branch and run `pullgrant policy recertify` again", f.Path, Path(c.Metadata.Name))
		case c.Spec.Day.After(latest.Time):
			return fmt.Sprintf("%s was written on %s, which is yet to come; correct the clock that it was "+
				"written by", f.Path, c.Spec.Day)
		}
	}
	return ""
}

// certifiesBeside tells why the paths of a change are not to be merged together: what is certified
// stands alone, so that whoever approves it looks at that.
func certifiesBeside(files []File) string {
	certifies := func(f File) bool { return IsCertification(f.Path) && f.Status != "removed" }
	i := slices.IndexFunc(files, certifies)
	if i < 0 {
		return ""
	}
	other := slices.IndexFunc(files, func(f File) bool { return !certifies(f) })
	if other < 0 {
		return ""
	}
	return fmt.Sprintf("it certifies by %s and touches %s beside it; what is certified stands alone in "+
		"a pull request", requests.Quote(files[i].Path), requests.Quote(files[other].Path))
}

// Certifying is the file whose last merge began the time of a policy: its certification, where it
// was ever certified, else the policy.
func (t Tree) Certifying(policy string) string {
	if _, certified := t.Files[CertificationPath(policy)]; certified {
		return CertificationPath(policy)
	}
	return Path(policy)
}

// Certified is the certification of a policy; ok is false where there is none that reads.
func (t Tree) Certified(policy string) (c Certification, ok bool) {
	_, ok = t.Files[CertificationPath(policy)]
	c, findings := parse(t, CertificationPath(policy), ParseCertification)
	return c, ok && len(findings) == 0
}

// Certifiers are the owners of the certification of a policy.
func (t Tree) Certifiers(policy string) []Party {
	return t.world(AccessPolicy{}).ownersOf(CertificationPath(policy))
}
