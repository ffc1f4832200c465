package policies

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/pullgrant/pullgrant/requests"
)

// Kinds of what a Webhook challenge sends and takes, as JSON.
const (
	KindWebhookRequest  = "WebhookRequest"
	KindWebhookResponse = "WebhookResponse"
)

// WebhookRequest is what a Webhook challenge asks: the body of a POST, signed by Standard Webhooks.
type WebhookRequest struct {
	APIVersion  string            `yaml:"apiVersion" json:"apiVersion"`
	Kind        string            `yaml:"kind" json:"kind"`
	ID          string            `yaml:"id" json:"id"`
	Repository  string            `yaml:"repository" json:"repository"`
	PullRequest int               `yaml:"pullRequest" json:"pullRequest"`
	Head        string            `yaml:"head" json:"head"`
	Name        string            `yaml:"name" json:"name"`
	Cluster     string            `yaml:"cluster" json:"cluster"`
	Policy      string            `yaml:"policy" json:"policy"`
	Requester   WebhookPerson     `yaml:"requester" json:"requester"`
	Receiver    WebhookPerson     `yaml:"receiver" json:"receiver"`
	Reason      string            `yaml:"reason" json:"reason"`
	Fields      map[string]string `yaml:"fields,omitempty" json:"fields,omitempty"`
	Access      []WebhookAccess   `yaml:"access" json:"access"`
	Duration    requests.Duration `yaml:"duration,omitempty" json:"duration,omitzero"`
	NotBefore   requests.Time     `yaml:"notBefore,omitempty" json:"notBefore,omitzero"`
	Until       requests.Time     `yaml:"until,omitempty" json:"until,omitzero"`
}

// WebhookPerson is somebody as identities.yaml has them.
type WebhookPerson struct {
	GitHub   string `yaml:"github" json:"github"`
	GitHubID int64  `yaml:"githubID" json:"githubID"`
	Username string `yaml:"username" json:"username"`
}

// WebhookAccess is one of the things that are asked for.
type WebhookAccess struct {
	Kind      string   `yaml:"kind" json:"kind"`
	Text      string   `yaml:"text" json:"text"`
	Role      string   `yaml:"role,omitempty" json:"role,omitempty"`
	Namespace string   `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	Resources []string `yaml:"resources,omitempty" json:"resources,omitempty"`
	Command   []string `yaml:"command,omitempty" json:"command,omitempty"`
}

// WebhookResponse is what a check answers, with the status 200.
type WebhookResponse struct {
	APIVersion string `yaml:"apiVersion" json:"apiVersion"`
	Kind       string `yaml:"kind" json:"kind"`
	ID         string `yaml:"id" json:"id"`
	Decision   string `yaml:"decision" json:"decision"`
	Text       string `yaml:"text,omitempty" json:"text,omitempty"`
}

// webhookDecisions are what a check may decide.
var webhookDecisions = map[string]Verdict{"allowed": Yes, "denied": No, "pending": Waiting}

// MaxWebhookResponse bounds a check's answer, in bytes.
const MaxWebhookResponse = 64 << 10

// WebhookRequest is what the check is asked about an inquiry; id is a new one each time.
func (a Asking) WebhookRequest(id string) WebhookRequest {
	q := WebhookRequest{APIVersion: requests.APIVersion, Kind: KindWebhookRequest, ID: id,
		Repository: a.Repository, PullRequest: a.PullRequest, Head: a.HeadSHA,
		Name: a.Request.Metadata.Name, Cluster: a.Grant.Cluster, Policy: a.Grant.Policy,
		Requester: a.person(a.Requester), Receiver: a.person(a.Receiver), Reason: a.Request.Spec.Reason,
		Fields: a.Request.Spec.Fields, Duration: a.Grant.Duration, NotBefore: a.Grant.NotBefore,
		Until: a.Grant.Until, Access: []WebhookAccess{}}
	for _, item := range a.Grant.Items {
		access := WebhookAccess{Kind: item.Kind, Text: item.String(), Role: item.Role.Name,
			Namespace: item.Namespace, Resources: item.Resources}
		if item.Exec != nil {
			access.Command = item.Exec.Command
		}
		q.Access = append(q.Access, access)
	}
	return q
}

func (a Asking) person(of Identity) WebhookPerson {
	return WebhookPerson{GitHub: of.GitHub, GitHubID: of.GitHubID,
		Username: of.in(a.Grant.Cluster).Username}
}

// Answered is the reply in what a check answered to the question. An error says why there is none:
// whatever is not exactly a WebhookResponse to this question is no answer.
func (q WebhookRequest) Answered(data []byte) (Reply, error) {
	var r WebhookResponse
	strict, err := kjson.UnmarshalStrict(data, &r)
	if err = errors.Join(append(strict, err)...); err != nil {
		return Reply{}, fmt.Errorf("its answer is no %s: %w", KindWebhookResponse, err)
	}
	verdict, ok := webhookDecisions[r.Decision]
	switch {
	case r.APIVersion != requests.APIVersion || r.Kind != KindWebhookResponse:
		return Reply{}, fmt.Errorf("its answer is no %s of %s", KindWebhookResponse, requests.APIVersion)
	case r.ID != q.ID || r.ID == "":
		return Reply{}, errors.New("it answered another question: id must be that of the question")
	case !ok:
		return Reply{}, fmt.Errorf("its decision is %s; allowed: %s", requests.Quote(r.Decision),
			strings.Join(decisionNames(), ", "))
	}
	return Reply{Verdict: verdict, Text: r.Text}, nil
}

func decisionNames() (names []string) {
	for name := range webhookDecisions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var webhookRequestFormat = requests.Format{Kind: KindWebhookRequest,
	About: "What a challenge of kind Webhook sends to its url: a POST signed by Standard Webhooks, whose " +
		"webhook-id is the id. The same request is asked about several times; repository, pullRequest " +
		"and head tell which it is.",
	Fields: requests.Fields{
		"WebhookRequest.apiVersion":  {About: "Version of the format."},
		"WebhookRequest.kind":        {About: "What this is."},
		"WebhookRequest.id":          {About: "A new one for each question, to be repeated in the answer."},
		"WebhookRequest.repository":  {About: "The access repository on GitHub, owner/name."},
		"WebhookRequest.pullRequest": {About: "Number of the pull request that asks for access."},
		"WebhookRequest.head":        {About: "Its head commit."},
		"WebhookRequest.name":        {About: "Name of the request, unique for ever in its repository."},
		"WebhookRequest.cluster":     {About: "Cluster to get access to."},
		"WebhookRequest.policy":      {About: "Policy asked under."},
		"WebhookRequest.requester":   {About: "Who asks."},
		"WebhookRequest.receiver":    {About: "Who receives the access."},
		"WebhookRequest.reason":      {About: "Why, in the requester's words."},
		"WebhookRequest.fields": {About: "Fields of the request that its policy declares.",
			Form: requests.FormField, Values: requests.FormFieldValue},
		"WebhookRequest.access":    {About: "What is asked for."},
		"WebhookRequest.duration":  {About: "How long, unless until says when it ends."},
		"WebhookRequest.notBefore": {About: "When it begins, if that is not the merge."},
		"WebhookRequest.until":     {About: "When it ends."},

		"WebhookPerson.github":   {About: "GitHub login."},
		"WebhookPerson.githubID": {About: "Number of the account."},
		"WebhookPerson.username": {About: "User name in the cluster."},

		"WebhookAccess.kind":      {About: "Kind of the grant."},
		"WebhookAccess.text":      {About: "All of it in words, as approvers see it."},
		"WebhookAccess.role":      {About: "ClusterRole it is about."},
		"WebhookAccess.namespace": {About: "Namespace; without one, the whole cluster."},
		"WebhookAccess.resources": {About: "Objects that the role is cut down to."},
		"WebhookAccess.command":   {About: "Command that may run."},
	}}

var webhookResponseFormat = requests.Format{Kind: KindWebhookResponse,
	About: "What a check answers to a WebhookRequest, with the status 200 and at most 64 KiB. Anything " +
		"else is no answer, which meets no challenge.",
	Fields: requests.Fields{
		"WebhookResponse.apiVersion": {About: "Version of the format."},
		"WebhookResponse.kind":       {About: "What this is."},
		"WebhookResponse.id":         {About: "The id of the question.", Form: requests.Form{Min: 1}},
		"WebhookResponse.decision": {About: "allowed meets the challenge. denied refuses the request for " +
			"good. pending waits before the merge, and the check is asked again.",
			Form: requests.Form{Enum: decisionNames()}},
		"WebhookResponse.text": {About: fmt.Sprintf("Why, for people: shown on the pull request and kept "+
			"for ever, cut at %d bytes.", MaxReplyText)},
	}}
