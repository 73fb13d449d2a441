// Command ftpserver is the FTP server that FTPServers run. It works without
// Kubernetes as well: it reads a configuration file, or a few flags for a quick
// try.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// version is set by the build.
var version = "dev"

const usage = `ftpserver serves files over FTP and FTPS.

  ftpserver serve --config FILE              with a configuration file
  ftpserver serve --root DIR --user NAME     for a quick try
  ftpserver hash-password                    reads a password from standard input, prints its hash
  ftpserver version

"ftpserver serve --help" tells all flags.
`

func main() {
	err := run(os.Args[1:])
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "ftpserver:", err)
	os.Exit(1)
}

func run(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return errors.New("no command given")
	}
	switch args[0] {
	case "serve":
		return serve(args[1:])
	case "hash-password":
		return hashPassword(os.Stdin, os.Stdout)
	case "version", "--version":
		fmt.Println(version)
		return nil
	case "help", "-h", "--help":
		fmt.Print(usage)
		return nil
	}
	return fmt.Errorf("unknown command %q: try ftpserver help", args[0])
}
