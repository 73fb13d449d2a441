package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
)

// hashPassword reads one line and prints its hash. The password is not an
// argument: those can be seen by everyone on the machine.
func hashPassword(in io.Reader, out io.Writer) error {
	password, err := readPassword(in)
	if err != nil {
		return err
	}
	hash, err := passhash.New(password)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, hash)
	return err
}

func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return "", errors.New("the password is empty: give one line with a password")
	}
	return password, nil
}
