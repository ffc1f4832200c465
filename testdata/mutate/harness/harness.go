// Package harness runs the tests of a package over and over in one process, each time with another
// mutation turned on, so that a control plane is started once and nothing is compiled twice.
package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/mutate/switched"
)

// Order is what to run: the tests, one after another, until one notices the mutation. Without a
// mutation every test runs, to see what it reaches.
type Order struct {
	Mutation int      `json:"mutation"`
	Tests    []string `json:"tests"`
}

// Result is a line of what happened; the one with Begins comes before the test.
type Result struct {
	Mutation int           `json:"mutation"`
	Test     string        `json:"test"`
	Begins   bool          `json:"begins,omitempty"`
	Failed   bool          `json:"failed,omitempty"`
	Took     time.Duration `json:"took,omitempty"`
	Reached  []int         `json:"reached,omitempty"`
}

// Names of the variables that say where the orders are and where results go.
const (
	Orders  = "PULLGRANT_MUTATE_ORDERS"
	Results = "PULLGRANT_MUTATE_RESULTS"
)

var tests = map[string]func(*testing.T){}

// Add makes a test known.
func Add(name string, test func(*testing.T)) { tests[name] = test }

// Run carries out the orders.
func Run(t *testing.T) {
	text, err := os.ReadFile(os.Getenv(Orders))
	if err != nil {
		t.Fatal(err)
	}
	var orders []Order
	if err := json.Unmarshal(text, &orders); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(os.Getenv(Results), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := json.NewEncoder(file)
	for _, order := range orders {
		for _, name := range order.Tests {
			r := Result{Mutation: order.Mutation, Test: name}
			begins := r
			begins.Begins = true
			if err := lines.Encode(begins); err != nil {
				t.Fatal(err)
			}
			if err := switched.Turn(order.Mutation); err != nil {
				t.Fatal(err)
			}
			switched.Reached()
			start := time.Now()
			r.Failed = !t.Run(fmt.Sprint(order.Mutation), func(t *testing.T) { alone(t, name) })
			r.Took, r.Reached = time.Since(start), switched.Reached()
			if err := lines.Encode(r); err != nil {
				t.Fatal(err)
			}
			if r.Failed && order.Mutation != 0 {
				break
			}
		}
	}
	if err := switched.Turn(0); err != nil {
		t.Fatal(err)
	}
}

// alone runs a test so that it has ended when this returns to its caller, also one that asks to run
// beside others. A panic is a failure.
func alone(t *testing.T, name string) {
	t.Run(name, func(t *testing.T) {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%v\n%s", p, strings.TrimSpace(string(debug.Stack())))
			}
		}()
		tests[name](t)
	})
}
