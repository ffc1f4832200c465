package requests

import "strings"

// BreakGlass is what is owed for access that was given before anybody looked at it.
type BreakGlass struct {
	// Owners are logins, and GitHub teams as org/team, one of whom approves the review of it.
	Owners []string `json:"owners"`
	// ReviewWithin is how long after the beginning of access it is overdue.
	ReviewWithin Duration `json:"reviewWithin"`
	// RequesterID and BehalfID are the account numbers of who asked and of who receives it for them, which
	// outlive their logins (R22); 0: it is not known, or nobody's.
	RequesterID int64 `json:"requesterID,omitempty"`
	BehalfID    int64 `json:"behalfID,omitempty"`
}

// String is the one wording of every place that shows a grant.
func (b BreakGlass) String() string {
	return "nobody looks at it before; to be answered for by " + strings.Join(b.Owners, ", ") + " within " +
		b.ReviewWithin.String()
}

// Folders of what is owed, below a cluster's ledger, and of the reviews that pay it.
const (
	debtsFolder   = "debts"
	ReviewsFolder = "reviews"
)

// BreakGlassSlug is what the last part of a name begins with exactly when its request breaks the
// glass: names alone tell which files may be about that.
const BreakGlassSlug = "breakglass-"

// MayBreakGlass tells by its name whether a request may be one that breaks the glass. Only its file
// tells whether it is: alice-breakglass may be somebody's login.
func MayBreakGlass(name string) bool { return strings.Contains(name, "-"+BreakGlassSlug) }

// DebtsFolder is where the ledger of a cluster keeps what is owed.
func DebtsFolder(cluster string) string {
	return RevocationsFolder + "/" + cluster + "/" + debtsFolder
}

// DebtPath is where it keeps what is owed for a request.
func DebtPath(cluster, name string) string { return DebtsFolder(cluster) + "/" + name + ".yaml" }

// SplitDebtPath reads revocations/<cluster>/debts/<name>.yaml. ok is false for every other path.
func SplitDebtPath(path string) (place Place, ok bool) {
	cluster, folder, name, ok := split(path, RevocationsFolder)
	return Place{Cluster: cluster, Name: name}, ok && folder == debtsFolder
}

// ReviewPath is where the review of a request that broke the glass stands.
func ReviewPath(name string) string { return ReviewsFolder + "/" + name + ".yaml" }

// checkBreakGlass finds what a request that breaks the glass may not say, and a name that says
// otherwise than the file.
func (d *Document) checkBreakGlass(r AccessRequest) {
	_, slug, _ := strings.Cut(r.Metadata.Name, "-"+NamePart(r.Spec.Requester)+"-")
	named := strings.HasPrefix(slug, BreakGlassSlug)
	switch {
	case r.Spec.BreakGlass && !named:
		d.Check("metadata.name", "request-name", r.Metadata.Name, "the last part of the name of a request "+
			"that breaks the glass begins with "+BreakGlassSlug)
	case named && !r.Spec.BreakGlass:
		d.Check("metadata.name", "request-name", r.Metadata.Name, "only the name of a request that "+
			"breaks the glass (spec.breakGlass: true) has a last part that begins with "+BreakGlassSlug)
	}
}

// checkNow finds what says that access need not be now, which break-glass is for.
func (d *Document) checkNow(at string, s RequestSpec) {
	for _, field := range []string{"notBefore", "extends"} {
		if s.BreakGlass && d.Has(at+"."+field) {
			d.Add(at+"."+field, "break-glass", "%s goes without breakGlass: that is for access which "+
				"cannot wait", field)
		}
	}
}
