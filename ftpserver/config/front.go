package config

// SessionsPath answers whoever spreads clients over servers, beside /readyz: 200
// while this one takes new sessions, 503 and why not once it drains. It stays
// ready then, as its passive ports are still needed.
const SessionsPath = "/readyz/sessions"

// HeaderQuery asks, in addition, whether a PROXY header from the asker's address
// is believed.
const HeaderQuery = "header=proxy"
