package main

import (
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
)

// limit is the program that shows what the machine can do: on the order R it
// sends a file (sendfile), on S it takes one (splice). No FTP, nothing else.
func limit(args []string) error {
	flags := flag.NewFlagSet("limit", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:2121", "`ADDRESS`")
	root := flags.String("root", ".", "`DIR` with the file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() { _ = obey(c.(*net.TCPConn), *root) }()
	}
}

func obey(c *net.TCPConn, root string) error {
	defer func() { _ = c.Close() }()
	var order [1]byte
	if _, err := c.Read(order[:]); err != nil {
		return err
	}
	if order[0] == 'R' {
		f, err := os.Open(filepath.Join(root, "file"))
		if err != nil {
			return err
		}
		_, err = io.Copy(c, f)
		return errors.Join(err, f.Close())
	}
	f, err := os.CreateTemp(root, "upload-")
	if err != nil {
		return err
	}
	_ = os.Remove(f.Name())
	_, err = io.Copy(f, c)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = c.Write([]byte{'.'})
	return err
}
