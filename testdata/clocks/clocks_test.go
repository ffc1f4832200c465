package clocks

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		before := Set(began, time.Minute)
		time.Sleep(time.Second + 3*time.Nanosecond)
		for _, ahead := range []time.Duration{0, time.Hour + 5, -1000 * time.Hour} {
			set := Set(time.Now(), ahead)
			if passed := set.Sub(before); passed != time.Second+3 {
				t.Errorf("set ahead by %s, %s passed by the monotonic clock", ahead, passed)
			}
			if moved := set.Sub(began); moved != time.Second+3+ahead {
				t.Errorf("set ahead by %s, the wall clock moved by %s", ahead, moved)
			}
		}
	})
}
