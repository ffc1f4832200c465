package monitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// peopleGauge are the numbers of what keeps aws-auth.
type peopleGauge struct{ in, out, left prometheus.Gauge }

// NewAWSAuthMetrics are those of a process that only keeps aws-auth in step with the grants. Like
// an expirer it shows nothing of an agent's.
func NewAWSAuthMetrics(cluster, version string, wall func() time.Time) *Metrics {
	m := newMetrics(cluster, wall)
	m.define(promauto.With(nil))
	m.beats("aws_auth_heartbeat_timestamp_seconds",
		"When what keeps aws-auth last looked at the clock, in Unix time.")
	m.runs([]Stage{StageAWSAuth})
	m.build("aws_auth_build_info", "1, with the version of what keeps aws-auth.", version)
	m.only = &only{unsafe: m.unsafe("aws_auth_unsafe", "1 while this is amiss with what keeps "+
		"aws-auth; Unfenced: it lets nobody in, and takes entries away all the same."),
		loop:     "the loop that keeps aws-auth",
		synced:   "aws-auth and the grants are known",
		unsynced: "aws-auth and the grants are not read yet",
		does:     "this process only keeps aws-auth", still: "it takes entries away all the same"}
	gauge := func(name, help string) prometheus.Gauge {
		return m.factory.NewGauge(prometheus.GaugeOpts{Namespace: "pullgrant", Name: name,
			Help: help})
	}
	m.people = &peopleGauge{
		in:  gauge("aws_auth_entries", "Entries of pullgrant's in aws-auth."),
		out: gauge("aws_auth_refused", "People with access whom aws-auth does not let in."),
		left: gauge("aws_auth_left", "Entries that somebody wrote anew, so that they cannot be "+
			"taken away: names without rights."),
	}
	return m
}

// AWSAuth notes how many entries are pullgrant's, how many people with access the list does not let
// in, and how many entries cannot be taken away.
func (m *Metrics) AWSAuth(in, out, left int) {
	m.people.in.Set(float64(in))
	m.people.out.Set(float64(out))
	m.people.left.Set(float64(left))
}
