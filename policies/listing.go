package policies

import "github.com/pullgrant/pullgrant/requests"

// KindRequestList is what lists of requests print as JSON and YAML.
const KindRequestList = "RequestList"

// RequestList is what "pullgrant list" tells.
type RequestList struct {
	APIVersion string          `yaml:"apiVersion" json:"apiVersion"`
	Kind       string          `yaml:"kind" json:"kind"`
	Items      []ListedRequest `yaml:"items" json:"items"`
}

// ListedRequest is how far one request has come.
type ListedRequest struct {
	Name         string        `yaml:"name" json:"name"`
	Cluster      string        `yaml:"cluster" json:"cluster"`
	Policy       string        `yaml:"policy" json:"policy"`
	Requester    string        `yaml:"requester" json:"requester"`
	State        string        `yaml:"state" json:"state"`
	Code         Code          `yaml:"code,omitempty" json:"code,omitempty"`
	Message      string        `yaml:"message" json:"message"`
	Gives        []string      `yaml:"gives" json:"gives"`
	WaitsFor     string        `yaml:"waitsFor,omitempty" json:"waitsFor,omitempty"`
	Reason       string        `yaml:"reason,omitempty" json:"reason,omitempty"`
	Mine         bool          `yaml:"mine" json:"mine"`
	WaitingForMe bool          `yaml:"waitingForMe" json:"waitingForMe"`
	Live         bool          `yaml:"live" json:"live"`
	StartsAt     requests.Time `yaml:"startsAt,omitempty" json:"startsAt,omitzero"`
	EndsAt       requests.Time `yaml:"endsAt,omitempty" json:"endsAt,omitzero"`
	PullRequest  int           `yaml:"pullRequest,omitempty" json:"pullRequest,omitempty"`
	URL          string        `yaml:"url,omitempty" json:"url,omitempty"`
}

// How far a request has come, in a word for people.
const (
	StageWaiting   = "waiting"   // for a review, or for time to pass
	StageApproved  = "approved"  // and not merged yet
	StageMerged    = "merged"    // and nobody says that access was given
	StageScheduled = "scheduled" // merged, and begins later
	StageGranted   = "granted"
	StageDenied    = "denied"
	StageEnded     = "ended"
	StageUnknown   = "unknown" // it cannot be told
)

var stages = []string{StageWaiting, StageApproved, StageMerged, StageScheduled, StageGranted,
	StageDenied, StageEnded, StageUnknown}

var requestListFormat = requests.Format{Kind: KindRequestList,
	About: "What \"pullgrant list\" prints as JSON and as YAML. Times are RFC 3339 in UTC.",
	Fields: requests.Fields{
		"RequestList.apiVersion": {About: "Version of the format."},
		"RequestList.kind":       {About: "What this is."},
		"RequestList.items":      {About: "The requests, those that wait for you first."},

		"ListedRequest.name":      {About: "Name of the request, unique for ever in its repository."},
		"ListedRequest.cluster":   {About: "Cluster to get access to."},
		"ListedRequest.policy":    {About: "Policy asked under."},
		"ListedRequest.requester": {About: "GitHub login of who asks."},
		"ListedRequest.state": {About: "How far it has come. merged: nobody says that access was " +
			"given. granted: its agent says so.", Form: requests.Form{Enum: stages}},
		"ListedRequest.code":     {About: "Code of the first refusal."},
		"ListedRequest.message":  {About: "The decision in a sentence."},
		"ListedRequest.gives":    {About: "What it gives, in words."},
		"ListedRequest.waitsFor": {About: "Whose approval is missing."},
		"ListedRequest.reason":   {About: "Why, in the requester's words."},
		"ListedRequest.mine":     {About: "You asked for it, or receive the access."},
		"ListedRequest.waitingForMe": {About: "Your approval is missing, as far as is known without " +
			"your giving it."},
		"ListedRequest.live":        {About: "It stands on the default branch and has not ended."},
		"ListedRequest.startsAt":    {About: "When access begins, once it is merged."},
		"ListedRequest.endsAt":      {About: "When access ends, once it is merged."},
		"ListedRequest.pullRequest": {About: "Number of the pull request that asks for it."},
		"ListedRequest.url":         {About: "Page of that pull request."},
	}}
