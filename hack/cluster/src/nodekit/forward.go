package main

import (
	"flag"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// forward opens a loopback port of the machine and carries its connections into
// the network namespace of another process. A socket stays in the namespace that
// it was made in, so it listens first and then enters: no address, route or
// netfilter rule of the machine is needed.
func forward(args []string) error {
	flags := flag.NewFlagSet("forward", flag.ExitOnError)
	pid := flags.Int("pid", 0, "process whose network namespace is entered")
	to := flags.String("to", "", "`host:port` inside of it")
	portFile := flags.String("port-file", "", "`file` that the chosen port is written to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	// Clearing the flags is what lets the socket survive the exec.
	fd := socket.Fd()
	if _, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_SETFD, 0); errno != 0 {
		return errno
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	if err := replaceFile(*portFile, port); err != nil {
		return err
	}
	command := []string{
		nsenter, "-t", strconv.Itoa(*pid), "-n", "--",
		self, "relay", "-fd", strconv.Itoa(int(fd)), "-to", *to,
	}
	return syscall.Exec(nsenter, command, os.Environ())
}

// relay accepts on the socket that forward hands over and connects each client to -to.
func relay(args []string) error {
	flags := flag.NewFlagSet("relay", flag.ExitOnError)
	fd := flags.Uint("fd", 0, "descriptor of the listening socket")
	to := flags.String("to", "", "`host:port` to connect to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(uintptr(*fd), "listener"))
	if err != nil {
		return err
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go join(client.(*net.TCPConn), *to)
	}
}

// join carries bytes both ways and passes on each side's end of stream.
func join(client *net.TCPConn, to string) {
	defer client.Close()
	conn, err := net.Dial("tcp", to)
	if err != nil {
		log.Print(err)
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe(server, client)
	}()
	pipe(client, server)
	<-done
}

func pipe(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		// One half has failed: end the other too, or join would wait for it.
		to.Close()
		from.Close()
		return
	}
	_ = to.CloseWrite()
}
