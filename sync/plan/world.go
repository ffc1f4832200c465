package plan

import (
	"fmt"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// World is everything a plan follows from.
type World struct {
	Cluster string
	// Main is the branch; nil when it cannot be had or does not continue from what was accepted.
	// Then nothing is granted and nothing recorded, but all that needs only the cluster goes on
	// (G5).
	Main    *Main
	Records []Record
	// Live are the labelled objects, and whatever stands under the name of an object of a grant
	// that has not ended.
	Live       []Live
	Namespaces map[string]string // UID by name, of the namespaces that records name; absent: does not exist
	Gone       []Gone
	// Doers are, by path, those whose pull request removed a request file, or changed the branch
	// so that it contradicts a grant. Nobody means that no pull request did; absent, that it is
	// not known yet.
	Doers map[string]requests.Person
	// Drift has, by path, the causes that end grants which the branch or the cluster contradicts by
	// now.
	Drift map[string]string
	// Withdrawn has, by path, why a withdrawal that is still open ends a grant, whether it has
	// begun or not.
	Withdrawn map[string]Why
	// by path, of requests on main without a record, or with one that is not granted yet
	Proofs  map[string]Proof
	Stopped []Stop // while there is any, no request is granted or refused
}

// Stop is one thing that keeps the agent from granting, until it has passed.
type Stop struct {
	Code    policies.Code
	Message string // what it is and what to do
}

// Main is what the branch says.
type Main struct {
	Tip string
	// paths of this cluster's requests that are plain files in the right place, to the blob
	Requests map[string]string
	// Names are, by request name, the paths of what has it: all files below requests/, and the
	// ledger entries of any cluster, of the names of Requests and of records.
	Names map[string][]string
	// First is, by name, the request that the branch's first-parent line had first, of names that
	// several have; empty when they came with one commit. A name of several is missing while that
	// is not known.
	First map[string]string
}

// IsFirst tells whether a request on the branch has its name, as far as is known.
func (m *Main) IsFirst(path string) bool {
	place, _ := requests.SplitPath(path)
	return len(m.Names[place.Name]) == 1 || m.First[place.Name] == path
}

// Live is one of the objects in the cluster that grants are made of.
type Live struct {
	Kind, Namespace, Name, UID string
	Labelled                   bool   // says that pullgrant manages it, whatever the cluster
	Managed                    bool   // carries the labels of an object of this cluster's agent
	Content                    string // digest of everything about it that gives access or decides over its end
}

// Place is where it stands: the object of a grant that stands there has the same.
func (l Live) Place() Object { return Object{Kind: l.Kind, Namespace: l.Namespace, Name: l.Name} }

// IsBackstop tells what only ends access from what gives it.
func (l Live) IsBackstop() bool { return l.Place().IsBackstop() }

// Ours tells what the agent alone may make, by its label and its name. What has the label under
// another name is somebody else's mistake, and theirs to mend.
func (l Live) Ours() bool { return l.Labelled && render.Reserved(l.Name) }

// Why is what ends a grant, and who, where that is known.
type Why struct {
	Cause string
	By    requests.Person
}

// Gone is a managed object, no backstop, whose disappearance was seen.
type Gone struct {
	Live
	At      time.Time
	Expired bool // it was due, give or take MaxSkew: nobody but an agent needs to have taken it away
}

// Proof is the judgement of a request that is on main.
type Proof struct {
	Blob     string
	Content  []byte // of the file; nil when it could not be read
	Decision policies.Decision
	Evidence requests.Evidence // as far as it is known, also of a refusal
	Facts    []byte            // as the ledger keeps them; nil when there are none
	Came     time.Time         // when the commit that brought it says that it was made; zero: not known
	Since    time.Time         // when the agent first saw the request
	At       time.Time         // when it was judged
	Moved    bool              // the branch did meanwhile, and has its name: what became of it is not known
}

// String is the object for people.
func (l Live) String() string {
	return fmt.Sprintf("%s %s (%s)", l.Kind, strings.TrimPrefix(l.Namespace+"/"+l.Name, "/"), l.UID)
}
