// Package execaudit takes what the API server's audit webhook tells of commands in containers: which
// were run under a grant, and which were refused. It believes no more than that somebody who has a
// live grant used it: that is noted beside the grant, and ends one that is for a single use.
package execaudit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/monitor"
)

// Event is one call by which somebody ran a command in a container, or tried to.
type Event struct {
	AuditID   string    // which the caller may have chosen
	At        time.Time // when the API server got it
	User      string    // who called
	As        string    // whom they impersonated; empty: nobody
	Namespace string
	Verb      string // as Exec.Verb, attach or ephemeralcontainers
	Name      string // as Exec.Name
	Cut       bool   // the API server cut the name
	Code      int    // HTTP status of the answer
	Over      bool   // it tells that a command ended, which was told as it started too
}

// Allowed tells whether something may have come to run. The API server or the kubelet answers with
// another 4xx before anything does; what broke may have run.
func (e Event) Allowed() bool { return e.Code < 400 || e.Code >= 500 }

// Use is the event as it is kept beside a grant.
func (e Event) Use() requests.Use {
	id := e.AuditID
	if requests.CheckAuditID(id) != "" {
		id = ""
	}
	return requests.Use{AuditID: id, Time: requests.At(e.At), Allowed: e.Allowed(), Code: e.Code,
		Command: requests.CommandText(e.Verb + " " + e.Namespace + "/" + e.Name)}
}

// Limits of what a call may hold.
const (
	maxBody   = 10 << 20 // bytes; no more is read
	maxEvents = 10_000   // of one list; the API server sends 400 unless it is told otherwise
	// maxAnnotation is where the API server cuts an annotation that a policy makes
	// (maxAuditAnnotationValueLength in k8s.io/apiserver).
	maxAnnotation = 10 << 10 // bytes
	// maxWritten is how long such a one is at most as JSON has it: each byte that is no text there, as
	// of a character that was cut, takes three.
	maxWritten = 3 * maxAnnotation
	// maxCaller is longer than any name that a grant is for.
	maxCaller = 1 << 10 // bytes
)

// errTooMany is of a list with more events than maxEvents.
var errTooMany = fmt.Errorf("the list has more than %d events", maxEvents)

// read reads an EventList of audit.k8s.io/v1: the events about commands, and how many others there
// were, by reason. Events are read one after the other and no body of a request or answer is kept;
// a list with anything malformed in it gives none.
// https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
func read(body io.Reader) (events []Event, others map[string]int, err error) {
	d, others := json.NewDecoder(body), map[string]int{}
	if err := expect(d, json.Delim('{')); err != nil {
		return nil, nil, err
	}
	var kind, version string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		switch key {
		case "kind":
			err = d.Decode(&kind)
		case "apiVersion":
			err = d.Decode(&version)
		case "items":
			events, err = readItems(d, events, others)
		default:
			err = d.Decode(new(unread))
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); err == nil {
		return nil, nil, errors.New("something follows the list")
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if kind != "EventList" || version != "audit.k8s.io/v1" {
		return nil, nil, fmt.Errorf("it is a %s of %s, not an EventList of audit.k8s.io/v1",
			requests.Quote(kind), requests.Quote(version))
	}
	return events, others, nil
}

// unread is a value that nobody looks at.
type unread struct{}

func (*unread) UnmarshalJSON([]byte) error { return nil }

func expect(d *json.Decoder, want json.Token) error {
	got, err := d.Token()
	if err == nil && got != want {
		err = fmt.Errorf("it has %v where %v belongs", got, want)
	}
	return err
}

func readItems(d *json.Decoder, events []Event, others map[string]int) ([]Event, error) {
	if err := expect(d, json.Delim('[')); err != nil {
		return nil, err
	}
	for n := len(events); d.More(); n++ {
		if n >= maxEvents {
			return nil, errTooMany
		}
		var w wire
		if err := d.Decode(&w); err != nil {
			return nil, err
		}
		e, reason := w.event()
		if reason != "" {
			others[reason]++
			continue
		}
		events = append(events, e)
	}
	return events, expect(d, json.Delim(']'))
}

// wire is what is read of an event.
type wire struct {
	AuditID string `json:"auditID"`
	Stage   string `json:"stage"`
	User    struct {
		Username string `json:"username"`
	} `json:"user"`
	ImpersonatedUser struct {
		Username string `json:"username"`
	} `json:"impersonatedUser"`
	ObjectRef struct {
		APIGroup    string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	RequestReceivedTimestamp time.Time         `json:"requestReceivedTimestamp"`
	Annotations              map[string]string `json:"annotations"`
}

// stages are those by which the answer is known. A command is told of as it starts
// (ResponseStarted): the connection is taken over then.
var stages = []string{"ResponseStarted", "ResponseComplete", "Panic"}

// event is what it says, or why it is none of a command.
func (w wire) event() (e Event, reason string) {
	on := w.ObjectRef
	if on.APIGroup != "" || on.Resource != "pods" || !slices.Contains(stages, w.Stage) ||
		!slices.Contains([]string{"exec", "attach", "ephemeralcontainers"}, on.Subresource) {
		return e, monitor.EventOther
	}
	text := w.Annotations[render.ExecAnnotation]
	if len(text) > maxWritten {
		return e, monitor.EventUnmarked
	}
	cut := len(text) >= maxAnnotation
	if cut {
		text = strings.Clone(text[:maxAnnotation])
	}
	verb, rest, _ := strings.Cut(text, " ")
	namespace, name, named := strings.Cut(rest, "/")
	if !named || namespace != on.Namespace {
		return e, monitor.EventUnmarked
	}
	if len(w.User.Username) > maxCaller || len(w.ImpersonatedUser.Username) > maxCaller {
		return e, monitor.EventForeign
	}
	if len(w.AuditID) > maxCaller { // which its caller chose, and no use keeps
		w.AuditID = ""
	}
	return Event{AuditID: w.AuditID, At: w.RequestReceivedTimestamp, User: w.User.Username,
		As: w.ImpersonatedUser.Username, Namespace: namespace, Verb: verb, Name: name,
		Cut: cut, Code: w.ResponseStatus.Code,
		Over: w.Stage == "ResponseComplete" && w.ResponseStatus.Code == http.StatusSwitchingProtocols}, ""
}
