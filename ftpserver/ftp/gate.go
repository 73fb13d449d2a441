package ftp

import "runtime"

// encryptionGate lets at most all but one of the processors encrypt downloads and
// send them at a time. Without it, under a load of TLS transfers every processor is
// busy for long stretches and control connections are served late.
type encryptionGate struct{ slots chan struct{} }

func newEncryptionGate() *encryptionGate {
	return &encryptionGate{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
}

func (g *encryptionGate) enter() { g.slots <- struct{}{} }

// leave offers a lull first: as long as the gate is closed, nobody else has anything to
// encrypt.
func (g *encryptionGate) leave() {
	theLull.offer()
	<-g.slots
}
