package sync

import (
	"errors"

	"github.com/pullgrant/pullgrant/sync/monitor"
)

// failures are the errors of a pass, in the order in which they came.
type failures []failure

// failure is an error and the stage that it is of.
type failure struct {
	stage monitor.Stage
	err   error
}

// add keeps an error, unless there is none.
func (f *failures) add(stage monitor.Stage, err error) {
	if err != nil {
		*f = append(*f, failure{stage, err})
	}
}

// stages are those that did not succeed.
func (f failures) stages() map[monitor.Stage]bool {
	all := map[monitor.Stage]bool{}
	for _, one := range f {
		all[one.stage] = true
	}
	return all
}

// err is all of them; nil when there is none.
func (f failures) err() error {
	var all []error
	for _, one := range f {
		all = append(all, one.err)
	}
	return errors.Join(all...)
}
