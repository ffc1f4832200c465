package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// onAllCores is policies.Each of as many beside each other as the machine does at once.
func onAllCores(n int, do func(int)) {
	// Little is kept and much is made meanwhile: to collect at each doubling takes a fifth of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var workers sync.WaitGroup
	var next atomic.Int64
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}
