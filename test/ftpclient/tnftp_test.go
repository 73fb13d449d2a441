package ftpclient

import "testing"

// TestTNFTPJudge: a reply that refuses is found among what tnftp says of itself.
func TestTNFTPJudge(t *testing.T) {
	for output, failed := range map[string]bool{
		"226 Transfer complete\n507 bytes sent in 00:00 (123.96 KiB/s)\n221 Goodbye\n": false,
		"150 Here it comes\n451 bytes received in 00:00\n":                             false,
		"507 bytes sent in 00:00\n550 No such file\n":                                  true,
		"426-Cut\n":              true,
		"tnftp: can't connect\n": true,
	} {
		if err := tnftpJudge(output); (err != nil) != failed {
			t.Errorf("%q: %v", output, err)
		}
	}
}
