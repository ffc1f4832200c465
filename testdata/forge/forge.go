package forge

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge/openapi"
)

// Options says what kind of GitHub Start makes. The zero value is usable.
type Options struct {
	Owner string // the organisation that owns the repository; "acme" when empty
	Repo  string // the repository's name; "access" when empty
	// the largest page served, whatever per_page asks; 2 when zero, so every client must paginate
	PageSize int
	Now      func() time.Time // the forge's clock; time.Now when nil
	Log      io.Writer        // one line a call; nothing when nil
	Points   int              // of GraphQL that each account has in an hour; 5000 when zero
	Contract bool             // check every call against GitHub's OpenAPI description; see Forge.Violations

	Manners Manners // what it does beside its promises

	// InProcess: nothing listens; ServeHTTP is called instead, by Do too. URL is http://localhost.
	InProcess bool
}

// Forge is a running GitHub with one organisation and one private repository.
// Its exported methods may be called from any goroutine.
type Forge struct {
	URL string // root of the REST API, without a trailing slash

	opts     Options
	root     string // parent of the bare repository
	git      repository
	server   *http.Server // nil: in process
	under    sync.RWMutex // read-held by each call under way
	mux      *http.ServeMux
	smart    http.Handler
	contract *openapi.Contract

	mu       sync.Mutex // held by every REST call and every push, so each sees one consistent GitHub
	lastID   int64
	users    map[string]*user // by login in lower case
	apps     map[string]*app  // by slug
	tokens   map[string]identity
	teams    []*team
	members  map[string]string // organisation membership by login in lower case: active or pending
	pulls    []*pull
	issues   []*issue
	events   []string // of workflows, as repository dispatches
	checks   []*checkRun
	statuses []*commitStatus
	activity []*activity
	rules    Rules
	signed   map[string]bool // commits GitHub itself made and signed
	manners  Manners
	setup    Setup
	id       int64 // of the repository
	points   map[*user]*budget

	logMu      sync.Mutex
	requests   []Request
	injections []*injection
}

// repositoryID is the numeric id of the one repository until Recreate, organizationID that of its
// owner.
const (
	repositoryID   = 9001
	organizationID = 9000
)

// Start makes an empty private repository below dir and serves it. The default branch is main; it
// is protected with DefaultRules. The organisation's only members are those AddUser makes.
func Start(dir string, opts Options) (*Forge, error) {
	if opts.Owner == "" {
		opts.Owner = "acme"
	}
	if opts.Repo == "" {
		opts.Repo = "access"
	}
	if opts.PageSize == 0 {
		opts.PageSize = 2
	}
	if opts.Points == 0 {
		opts.Points = 5000
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	contract, err := openapi.Load()
	if err != nil {
		return nil, err
	}
	f := &Forge{
		opts: opts, root: dir, contract: contract, lastID: 1000,
		users: map[string]*user{}, apps: map[string]*app{}, tokens: map[string]identity{},
		members: map[string]string{}, signed: map[string]bool{}, rules: DefaultRules(),
		manners: opts.Manners, id: repositoryID, points: map[*user]*budget{},
	}
	f.addBuiltinAccounts()
	if err := os.MkdirAll(filepath.Join(dir, opts.Owner), 0o755); err != nil {
		return nil, err
	}
	if f.git, err = initRepository(filepath.Join(dir, opts.Owner, opts.Repo+".git")); err != nil {
		return nil, err
	}
	if f.smart, err = GitHandler(dir); err != nil {
		return nil, err
	}
	if err := f.routes(); err != nil {
		return nil, err
	}
	if opts.InProcess {
		f.URL = "http://localhost"
		return f, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.URL = "http://" + listener.Addr().String()
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = f.server.Serve(listener) }()
	return f, nil
}

// Close stops serving, drops open connections and waits for what their calls still write; the bare
// repository stays on disk.
func (f *Forge) Close() {
	if f.server != nil {
		_ = f.server.Close()
	}
	f.under.Lock()
	defer f.under.Unlock()
}

// CloneURL is the address of the repository for git: URL/OWNER/REPO.git. It needs a token as the
// basic auth password.
func (f *Forge) CloneURL() string { return f.URL + "/" + f.fullName() + ".git" }

// Violations lists every call so far that GitHub's OpenAPI description does not know or does not
// allow: requests of the client under test, and answers of the forge itself. Empty unless
// Options.Contract is set.
func (f *Forge) Violations() []string { return f.contract.Violations() }

// GitDir is the bare repository's folder, for tests that look at the stored objects themselves.
func (f *Forge) GitDir() string { return f.git.dir }

func (f *Forge) fullName() string { return f.opts.Owner + "/" + f.opts.Repo }

func (f *Forge) now() time.Time { return f.opts.Now().UTC().Truncate(time.Second) }

func (f *Forge) nextID() int64 {
	f.lastID++
	return f.lastID
}
