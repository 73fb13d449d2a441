package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// names are the host names of Services, in two files of the form of /etc/hosts.
type names struct {
	// cluster is read by the cluster's DNS, which looks for another file now and
	// then: it is replaced.
	cluster string
	// client is mounted over the client's /etc/hosts, so that it is written in
	// place. It begins with the machine's own lines, which stay.
	client string
	own    []byte // the machine's lines
	told   string
}

func newNames(cluster, client string) (*names, error) {
	own, err := os.ReadFile("/etc/hosts")
	return &names{cluster: cluster, client: client, own: own}, err
}

// set makes the files tell exactly the wanted names.
func (n *names) set(wanted map[string][]netip.Addr) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		for _, a := range wanted[name] {
			fmt.Fprintf(&text, "%s %s\n", a, name)
		}
	}
	if n.told == text.String() {
		return nil
	}
	err := os.WriteFile(n.cluster+".new", []byte(text.String()), 0o644)
	err = cmp.Or(err, os.Rename(n.cluster+".new", n.cluster), writeInPlace(n.client, append(slices.Clip(n.own), text.String()...)))
	if err == nil {
		n.told = text.String()
	}
	return err
}

// writeInPlace never leaves the file empty, not even for a moment.
func writeInPlace(name string, content []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(content, 0)
	return cmp.Or(err, file.Truncate(int64(len(content))), file.Close())
}
