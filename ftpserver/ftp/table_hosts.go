package ftp

// hostCommands: virtual hosts (RFC 7151).
func hostCommands() map[string]*command {
	return map[string]*command{
		"HOST": {run: (*session).setHost, arg: true, syntax: "HOST name"},
	}
}
