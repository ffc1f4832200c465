package sync

import (
	"errors"
	"maps"

	"github.com/pullgrant/pullgrant/sync/monitor"
)

// failure is an error of a stage.
type failure struct {
	stage monitor.Stage
	error
}

func (f failure) Unwrap() error { return f.error }

// in says which stage an error is of; no error stays none.
func in(s monitor.Stage, err error) error {
	if err == nil {
		return nil
	}
	return failure{s, err}
}

// stagesOf are the stages that an error, however joined and wrapped, is of.
func stagesOf(err error) map[monitor.Stage]bool {
	switch e := err.(type) {
	case nil:
		return map[monitor.Stage]bool{}
	case failure:
		return map[monitor.Stage]bool{e.stage: true}
	case ungranted:
		return map[monitor.Stage]bool{monitor.StageRequests: true}
	case interface{ Unwrap() []error }:
		all := map[monitor.Stage]bool{}
		for _, part := range e.Unwrap() {
			maps.Copy(all, stagesOf(part))
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil {
		return stagesOf(inner)
	}
	return map[monitor.Stage]bool{monitor.StageApply: true}
}
