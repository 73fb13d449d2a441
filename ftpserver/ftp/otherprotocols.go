package ftp

import (
	"regexp"
	"strings"
)

// maxStrikes is how many lines that are no commands may come before a login. A
// client that asks for what it might use comes nowhere near.
const maxStrikes = 10

// methods are HTTP's that a browser can be made to send (RFC 9110 §9), with the
// one that begins HTTP/2. None is a command of FTP, nor ever will be.
var methods = map[string]bool{
	"GET": true, "HEAD": true, "POST": true, "PUT": true, "PATCH": true, "DELETE": true,
	"OPTIONS": true, "CONNECT": true, "TRACE": true, "PRI": true,
}

// requestLine is the end of the first line of a request, whatever its method.
var requestLine = regexp.MustCompile(` HTTP/\d(\.\d)?$`)

// adviseProxy is for a header of the PROXY protocol that is taken for something else.
const adviseProxy = "What the load balancer sends is a header of the PROXY protocol, from an address that is not trusted: name its network in proxyProtocol.trusted, or switch the protocol off at the load balancer"

// proxyLine is what makes a line of version 2's signature, after two empty ones.
const proxyLine = "\x00"

// unknown answers a line that is no command. A web page can have a browser send
// a request here, with commands in its body: so the first line of one ends the
// session, before anything of what follows is read. After a login, it may be the
// slip of somebody who types.
func (s *session) unknown(line string) {
	verb, _, _ := strings.Cut(line, " ")
	if !s.loggedIn() && (methods[strings.ToUpper(verb)] || requestLine.MatchString(line)) {
		s.turnDown("HTTP", "Nothing of what an HTTP client sends is obeyed: where it is not yours, somebody may try to reach the server through a browser")
		return
	}
	if !s.loggedIn() && verb == "PROXY" {
		s.turnDown("PROXY", adviseProxy)
		return
	}
	s.noCommand(500, "Unknown command")
}

// noCommand answers what is no command, and ends a session in which too much of
// that came before a login: it is another protocol's.
func (s *session) noCommand(code int, text string) {
	if !s.loggedIn() {
		s.strikes++
	}
	if s.strikes >= maxStrikes {
		s.turnDown("unknown", "The client has sent many lines before a login that are no commands of FTP")
		return
	}
	s.reply(code, text)
}

// turnDown ends the session of a client that speaks something else.
func (s *session) turnDown(protocol, advice string) {
	s.log.Info("The client does not speak FTP", "protocol", protocol, "advice", advice)
	s.goodbye("other protocol", "This is an FTP server")
}
