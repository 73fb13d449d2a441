package main

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
)

// TestKeepAlive: control connections notice within some minutes that a client's
// machine has vanished.
func TestKeepAlive(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	p := &process{implicit: &implicitPort{}, broker: passive.NewBroker(passive.Options{Host: "127.0.0.1", Log: slog.New(slog.DiscardHandler), Observer: telemetry.NewMetrics("test")})}
	defer p.broker.Close()
	if err := p.listen(&config.Config{Listen: "127.0.0.1:0", Passive: config.Passive{Ports: []config.PassivePort{{Listen: port}}}}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.control.Close() }()
	client, err := net.Dial("tcp", p.control.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	accepted, err := p.control.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = accepted.Close() }()
	raw, err := accepted.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	options := map[string][3]int{
		"SO_KEEPALIVE":  {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		"TCP_KEEPIDLE":  {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60},
		"TCP_KEEPINTVL": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
		"TCP_KEEPCNT":   {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
	}
	for name, o := range options {
		var got int
		if err := raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), o[0], o[1]) }); err != nil || got != o[2] {
			t.Errorf("%s is %d, %v, want %d", name, got, err, o[2])
		}
	}
}

// TestRepeat: nothing is done before the first wait is over, during which the
// process before this one still drains.
func TestRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, done := time.Now(), []time.Duration(nil)
		ctx, cancel := context.WithCancel(t.Context())
		repeat(ctx, time.Minute, time.Hour, func() {
			if done = append(done, time.Since(start)); len(done) == 3 {
				cancel()
			}
		})
		if want := []time.Duration{time.Minute, time.Minute + time.Hour, time.Minute + 2*time.Hour}; !slices.Equal(done, want) {
			t.Errorf("done after %v, want %v", done, want)
		}
	})
}
