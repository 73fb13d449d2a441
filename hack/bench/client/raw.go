package client

import "net/netip"

// RawReceive connects to the limit program, sends its order and takes what it
// sends, without FTP.
func RawReceive(server netip.AddrPort) (int64, error) {
	s, err := connect(server)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	if err := s.write([]byte{'R'}); err != nil {
		return 0, err
	}
	var total int64
	for {
		n, err := s.discard()
		total += n
		if err != nil {
			return total, ended(err)
		}
	}
}

// RawSend connects to the limit program, sends it size bytes and waits for its
// receipt.
func RawSend(server netip.AddrPort, from Payload, size int64) error {
	s, err := connect(server)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := s.write([]byte{'S'}); err != nil {
		return err
	}
	if err := s.sendFile(from.File, size); err != nil {
		return err
	}
	if err := s.endWrite(); err != nil {
		return err
	}
	_, err = s.read(make([]byte, 1))
	return err
}
