package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// onAllCores is policies.Each of as many beside each other as the machine does at once.
func onAllCores(n int, do func(int)) {
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
