package main

import (
	"os"
	"runtime"
)

// leastThreads is how many threads run Go code at a time at least, however few
// processors there are: beside one that is kept busy by downloads, another one sees
// at once that a command has come.
const leastThreads = 2

// setThreads sees to that, unless the environment says otherwise.
func setThreads() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastThreads {
		runtime.GOMAXPROCS(leastThreads)
	}
}
