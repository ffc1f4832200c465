package requests

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// APIVersion is the version of every kind of file.
const APIVersion = "pullgrant.dev/v1alpha1"

// KindAccessRequest is the kind of a request, and of the ledger entry it becomes.
const KindAccessRequest = "AccessRequest"

// SchemaAddress is where the schema of a kind is published: its $id, and what the
// yaml-language-server comment at the top of a file names.
func SchemaAddress(kind string) string {
	return "https://raw.githubusercontent.com/pullgrant/pullgrant/main/policies/schemas/" +
		strings.ToLower(kind) + ".json"
}

// maxRequestSize bounds a request file, in bytes.
const maxRequestSize = 16 << 10

// AccessRequest is the file a requester adds in a pull request.
type AccessRequest struct {
	APIVersion string      `yaml:"apiVersion" json:"apiVersion"`
	Kind       string      `yaml:"kind" json:"kind"`
	Metadata   Metadata    `yaml:"metadata" json:"metadata"`
	Spec       RequestSpec `yaml:"spec" json:"spec"`
}

// RequestFormat is the format of a request.
var RequestFormat = Format{
	Kind:   KindAccessRequest,
	About:  "Asks for access for a limited time. Stands at requests/<cluster>/<policy>/<name>.yaml.",
	Name:   requestName,
	Fields: requestFields,
}

var requestName = Field{About: "<yyyymmdd>-<requester>-<slug>, the file's name without .yaml. " +
	"Unique for ever.",
	Form: Form{Pattern: RequestPattern, Max: MaxRequestName}}

var requestFields = HeaderFields("AccessRequest", "What is asked for.").With(SpecFields)

// HeaderFields are the fields that the type of every kind of file begins with; about is what its
// spec holds.
func HeaderFields(kind, about string) Fields {
	return Fields{
		kind + ".apiVersion": {About: "Version of the format."},
		kind + ".kind":       {About: "What the file is."},
		kind + ".metadata":   {About: "Names the file's content."},
		kind + ".spec":       {About: about},
	}
}

// SpecFields are those of what is asked for.
var SpecFields = Fields{
	"RequestSpec.cluster": {About: "Cluster to get access to; the folder the file stands in.",
		Form: FormName},
	"RequestSpec.policy": {About: "Policy to ask under; the folder the file stands in.",
		Form: FormName},
	"RequestSpec.requester": {About: "GitHub login of who asks: the author of the pull request.",
		Form: FormLogin},
	"RequestSpec.subject": {About: "Who receives access, when it is not the requester as " +
		"identities.yaml says. " +
		"Only if the policy allows it."},
	"RequestSpec.namespace": {About: "Namespace to get access in. A glob such as team-* or a regular " +
		"expression such as ^team-[a-z]+$ stands for those of the policy that match, at most 20; * " +
		"for all namespaces too, where the policy gives them. Default: the policy's.",
		Form: Form{Rule: "name", Pattern: NamespacesPattern, Check: CheckNamespaces}},
	"RequestSpec.grants": {About: "Which of the policy's grants, by their names. Default: all.",
		Form: FormName, Min: 1, Unique: true},
	"RequestSpec.role": {About: "ClusterRole, where the policy offers several.",
		Form: Form{Rule: "role", Pattern: RolePattern, Check: CheckRole}},
	"RequestSpec.resources": {About: "Objects to get access to, by their kind and name, for example " +
		"deployments.apps/api; where the policy lets that be, by a glob such as pods/api-*, by a " +
		"regular expression such as pods/^api-[a-z0-9]+$, or by a kind alone and selector. Only " +
		"where the policy gives single objects.",
		Form: Form{Rule: "resource", Pattern: ResourcePattern, Check: CheckResource}, Min: 1,
		Max: MaxNames, Unique: true},
	"RequestSpec.selector": {About: "Labels of the objects of which resources has the kind alone, as " +
		"kubectl takes them, for example app=nginx.",
		Form: Form{Rule: "selector", Pattern: SelectorPattern, Max: maxSelector,
			Check: CheckSelector}},
	"RequestSpec.exec": {About: "Command to run, and where. Only where the policy lets commands run."},
	"RequestSpec.duration": {About: "How long, in whole minutes or hours, for example 30m or " +
		"2h. Default: the policy's."},
	"RequestSpec.notBefore": {About: "Start of access, not before the merge, for example " +
		"2026-11-23T08:00:00Z. Default: the merge. At most so long after that as the policy says."},
	"RequestSpec.until": {About: "End of access, for example 2026-11-23T18:00:00Z, in place of " +
		"duration."},
	"RequestSpec.extends": {About: "Name of an own request for the same cluster and policy that " +
		"this one goes on from: access begins at its end, without a gap where it is the same.",
		Form: Form{Rule: "request-name", Pattern: RequestPattern, Max: MaxRequestName,
			Check: checkExtends}},
	"RequestSpec.breakGlass": {About: "Whether access is to be given before anybody looks at it, to those " +
		"whom the policy names for that; it is answered for afterwards. The last part of the request's " +
		"name then begins with breakglass-. Default: false."},
	"RequestSpec.fields": {About: "Fields that the policy declares, by their names, for example " +
		"ticket: INC-123. They are kept for ever: no secrets.", Form: FormField, Min: 1,
		Values: FormFieldValue},
	"RequestSpec.reason": {About: "Why, in one line, for the people who approve and who read " +
		"the ledger. " +
		"It is kept for ever: no secrets.",
		Form: FormReason},

	"Exec.pod": {About: "Name of the pod.", Form: Form{Rule: "pod", Pattern: ObjectPattern,
		Check: CheckObject}},
	"Exec.deployment": {About: "Name of a Deployment, in place of pod: the command may run in each " +
		"of its pods, as they come and go.", Form: Form{Rule: "deployment", Pattern: ObjectPattern,
		Check: CheckObject}},
	"Exec.container": {About: "Name of the container. Default: the policy's, where it has one; " +
		"else the one that kubectl takes, which is told before access works as far as GitHub takes it " +
		"in time.", Form: FormName},
	"Exec.command": {About: "Program and arguments. An argument may end with /*, which stands for " +
		"one file of a folder. Default: any command, where the policy lets that be.",
		Form: Form{Rule: "command", Pattern: ArgumentPattern, Check: CheckArgument}, Min: 1,
		Max: MaxArguments},
	"Exec.stdin":    {About: "Whether it reads what is typed: kubectl exec -i. Default: false."},
	"Exec.terminal": {About: "Whether it has a terminal: kubectl exec -t. Default: false."},

	"Subject.kind": {About: "Only users receive access.", Form: OneOf("subject", KindUser)},
	"Subject.name": {About: "Name of the user in Kubernetes, exactly as the cluster's " +
		"authentication gives it.",
		Form: FormSubject},
}

// Metadata names a file's content.
type Metadata struct {
	Name string `yaml:"name" json:"name"`
}

// RequestSpec is what is asked for. Empty optional fields take the policy's default.
type RequestSpec struct {
	Cluster   string   `yaml:"cluster" json:"cluster"`
	Policy    string   `yaml:"policy" json:"policy"`
	Requester string   `yaml:"requester" json:"requester"` // GitHub login, the author of the pull request
	Subject   *Subject `yaml:"subject,omitempty" json:"subject,omitempty"`
	Namespace string   `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	Grants    []string `yaml:"grants,omitempty" json:"grants,omitempty"` // of the policy, by name
	Role      string   `yaml:"role,omitempty" json:"role,omitempty"`
	Resources []string `yaml:"resources,omitempty" json:"resources,omitempty"`
	Selector  string   `yaml:"selector,omitempty" json:"selector,omitempty"`
	Exec      *Exec    `yaml:"exec,omitempty" json:"exec,omitempty"`
	Duration  Duration `yaml:"duration,omitempty" json:"duration,omitzero"`
	NotBefore Time     `yaml:"notBefore,omitempty" json:"notBefore,omitzero"`
	Until     Time     `yaml:"until,omitempty" json:"until,omitzero"`      // instead of Duration
	Extends   string   `yaml:"extends,omitempty" json:"extends,omitempty"` // a request's name
	// before anybody looks at it
	BreakGlass bool `yaml:"breakGlass,omitempty" json:"breakGlass,omitempty"`
	// that the policy declares, by name; free text: escape at every sink
	Fields map[string]string `yaml:"fields,omitempty" json:"fields,omitempty"`
	Reason string            `yaml:"reason" json:"reason"`
}

// Subject is who receives access in Kubernetes. The only kind is User.
type Subject struct {
	Kind string `yaml:"kind" json:"kind"`
	Name string `yaml:"name" json:"name"`
}

// KindUser is the only kind of subject.
const KindUser = "User"

// NamePattern is the form of cluster, policy and namespace names: a Kubernetes DNS label.
const NamePattern = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`

// LoginPattern is the form of a GitHub login; Enterprise Managed Users carry an underscore before
// their short code.
const LoginPattern = `^[A-Za-z0-9]([A-Za-z0-9_-]{0,38})$`

// SubjectPattern is the form of a Kubernetes user name: 1 to 253 printable characters without
// spaces. The ASCII range keeps two names from looking alike.
const SubjectPattern = `^[!-~]{1,253}$`

// RequestPattern is the form of a request's name, <yyyymmdd>-<requester>-<slug>, as far as a
// pattern can tell.
const RequestPattern = `^([0-9]{8})-([a-z0-9-]+)$`

// MaxRequestName bounds a request's name, in bytes, to keep paths, branches and object names within
// every limit of git and Kubernetes.
const MaxRequestName = 100

// A reason is one line of so many characters that neither begins nor ends with a space.
const (
	ReasonPattern = `^[^\s\p{Z}](.*[^\s\p{Z}])?$`
	MinReason     = 10
	MaxReason     = 500
)

var (
	loginPattern   = regexp.MustCompile(LoginPattern)
	subjectPattern = regexp.MustCompile(SubjectPattern)
	requestPattern = regexp.MustCompile(RequestPattern)
	reasonPattern  = regexp.MustCompile(ReasonPattern)
)

const nameForm = "1 to 63 lower-case letters, digits and dashes, starting and ending with a letter " +
	"or digit"

// CheckName tells what is wrong with a cluster, policy or namespace name; empty when nothing is.
func CheckName(s string) string {
	if isName(s) {
		return ""
	}
	return "it must be " + nameForm
}

// isName is NamePattern by hand: half a dozen names stand in each path and file.
func isName(s string) bool {
	for i := range len(s) {
		plain := s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9'
		if !plain && (s[i] != '-' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 63
}

// CheckLogin tells what is wrong with a GitHub login; empty when nothing is.
func CheckLogin(s string) string {
	return mustMatch(loginPattern, s, "a GitHub login: up to 39 letters, digits and dashes")
}

// CheckSubject tells what is wrong with a Kubernetes user name; empty when nothing is. Names under
// system: belong to the cluster itself.
func CheckSubject(s string) string {
	if strings.HasPrefix(s, "system:") {
		return "names starting with system: belong to Kubernetes itself"
	}
	return mustMatch(subjectPattern, s, "1 to 253 printable ASCII characters without spaces")
}

func mustMatch(pattern *regexp.Regexp, s, form string) string {
	if pattern.MatchString(s) {
		return ""
	}
	return "it must be " + form
}

// ParseRequest reads one request file strictly. path is where it stands in the access repository;
// when it lies under requests/, path and content must agree, because CODEOWNERS picks the approvers
// by path.
func ParseRequest(path string, data []byte) (AccessRequest, []Finding) {
	request, d := ReadRequest(path, data)
	return request, d.Findings
}

// ReadRequest is ParseRequest for callers that have more to say about the file's fields.
func ReadRequest(path string, data []byte) (AccessRequest, *Document) {
	request, d := Decode[AccessRequest](path, data, maxRequestSize)
	if len(d.Findings) > 0 {
		return request, d
	}
	d.Conform(RequestFormat, request)
	d.WholeText("spec.reason", "reason", "reason")
	for name := range request.Spec.Fields {
		d.WholeText("spec.fields."+name, "field", "value")
	}
	d.CheckSpec("spec", request.Spec)
	d.checkBreakGlass(request)
	d.Check("metadata.name", "request-name", request.Metadata.Name,
		CheckRequestName(request.Metadata.Name, request.Spec.Requester))
	if extends := request.Spec.Extends; checkExtends(extends) == "" {
		problem := CheckRequestName(extends, request.Spec.Requester)
		if extends == request.Metadata.Name {
			problem = "a request cannot extend itself"
		}
		d.Check("spec.extends", "request-name", extends, problem)
	}
	if place, ok := SplitPath(path); ok {
		d.agree("metadata.name", request.Metadata.Name, "file name", place.Name)
		d.agree("spec.cluster", request.Spec.Cluster, "cluster folder", place.Cluster)
		d.agree("spec.policy", request.Spec.Policy, "policy folder", place.Policy)
	} else if strings.HasPrefix(path, Folder+"/") {
		d.Add("", "path", "a request stands at %s/<cluster>/<policy>/<name>.yaml", Folder)
	}
	SortFindings(d.Findings)
	return request, d
}

// CheckSpec finds what a request says that contradicts itself; at is where its spec stands. What its
// policy allows is another question.
func (d *Document) CheckSpec(at string, s RequestSpec) {
	d.checkTimes(at, s)
	d.checkNow(at, s)
	if s.Exec != nil && s.Exec.CheckPlace() != "" {
		d.Add(at+".exec", "exec", "%s", s.Exec.CheckPlace())
	}
}

// Check records problem, if there is one, against the field and the value found.
func (d *Document) Check(path, rule, value, problem string) {
	if problem != "" && d.Has(path) {
		d.Add(path, rule, "%s is %s; %s", path, Quote(value), problem)
	}
}

func (d *Document) agree(path, value, where, want string) {
	if value != want && d.Has(path) {
		d.Add(path, "path", "%s is %s but the %s is %s; they must be the same", path, Quote(value),
			where, Quote(want))
	}
}

// CheckReason tells what is wrong with a reason; empty when nothing is: one line of 10 to 500
// visible characters.
func CheckReason(s string) string {
	if r, where, ok := hiddenRune(s); ok {
		return fmt.Sprintf("it holds the hidden character %U%s; remove it", r, where)
	}
	switch n := utf8.RuneCountInString(s); {
	case strings.ContainsRune(s, '\n'):
		return "it must be one line"
	case n < MinReason || n > MaxReason:
		return fmt.Sprintf("it has %d characters; %d to %d are allowed", n, MinReason, MaxReason)
	case !reasonPattern.MatchString(s):
		return "it may not begin or end with a space"
	}
	return ""
}

// checkExtends tells what is wrong with the name of a request as far as it tells nothing of whose
// it is.
func checkExtends(name string) string {
	if requestPattern.MatchString(name) && len(name) <= MaxRequestName {
		return ""
	}
	return "it must be the name of a request, such as 20261122-alice-inc-123"
}

// CheckRequestName tells what is wrong with a request's name; empty when nothing is. The form is
// <yyyymmdd>-<requester>-<slug>, the requester as NamePart writes it.
func CheckRequestName(name, requester string) string {
	form := "the form is <yyyymmdd>-<requester>-<slug>, for example 20261122-alice-inc-123"
	if CheckLogin(requester) == "" {
		form = fmt.Sprintf("the form is <yyyymmdd>-%s-<slug>, for example 20261122-%[1]s-inc-123",
			NamePart(requester))
	}
	m := requestPattern.FindStringSubmatch(name)
	if m == nil || len(name) > MaxRequestName {
		return form + fmt.Sprintf(", at most %d lower-case letters, digits and dashes",
			MaxRequestName)
	}
	if _, err := time.Parse("20060102", m[1]); err != nil {
		return fmt.Sprintf("%s is no day; %s", m[1], form)
	}
	slug, ok := strings.CutPrefix(m[2], NamePart(requester)+"-")
	if !ok || slices.Contains(strings.Split(slug, "-"), "") {
		return form
	}
	return ""
}

// NamePart is a GitHub login as request names hold it: lower case, underscores as dashes.
func NamePart(login string) string { return strings.ReplaceAll(strings.ToLower(login), "_", "-") }
