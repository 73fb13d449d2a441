package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

// peer is a server for tests. It tells each connection whose it is, sends back
// what comes, and says "end" when the client has ended its half.
func peer(args []string) error {
	flags := flag.NewFlagSet("peer", flag.ExitOnError)
	address := flags.String("listen", "", "`host:port` to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go answer(conn)
	}
}

func answer(conn net.Conn) {
	defer conn.Close()
	_, err := fmt.Fprintf(conn, "peer %s\n", conn.RemoteAddr())
	if err == nil {
		_, err = io.Copy(conn, conn)
	}
	if err == nil {
		_, err = fmt.Fprint(conn, "end\n")
	}
	if err != nil {
		log.Print(err)
	}
}

// ask is the client of peer: it sends its input, ends its half, and prints what
// comes until the other half ends too.
func ask(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: nodekit ask host:port")
	}
	// It says nothing by itself: a test may wait for a sign of a dead peer.
	dialer := net.Dialer{KeepAlive: -1}
	conn, err := dialer.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		if _, err := io.Copy(conn, os.Stdin); err == nil {
			_ = conn.(*net.TCPConn).CloseWrite() // an end that failed shows below
		}
	}()
	_, err = io.Copy(os.Stdout, conn)
	return err
}
