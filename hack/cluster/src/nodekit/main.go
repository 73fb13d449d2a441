// Command nodekit is the small program that the local cluster is held together
// with. It uses the standard library only, so that it builds in seconds and can
// also serve as the sandbox ("pause") image of every pod.
package main

import (
	"fmt"
	"os"
)

var commands = map[string]func(args []string) error{
	"ask":     ask,
	"daemon":  daemon,
	"forward": forward,
	"hold":    hold,
	"image":   image,
	"peer":    peer,
	"pki":     pki,
	"relay":   relay,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: nodekit ask|daemon|forward|hold|image|peer|pki|relay …")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "nodekit %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
