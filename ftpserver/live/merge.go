package live

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// inConfig stands for the configuration itself among the places that users are
// named in; the others are the numbers of shards.
const inConfig = -1

// logins are the users of all files together.
type logins struct {
	users    map[string]config.User
	digests  map[string]string
	problems map[int]string // by place
}

// merge puts the users of all files together. Of two with one name, the one in
// the file that the name belongs to counts, then the one in the configuration,
// then the one in the file of the lower number; the file of the other is told.
func (st *state) merge(fileName func(place int) string) logins {
	m := merger{
		logins:   logins{users: map[string]config.User{}, digests: map[string]string{}, problems: map[int]string{}},
		places:   map[string]int{},
		losers:   map[int][]string{},
		fileName: fileName,
	}
	for _, e := range st.config.value.entries {
		m.add(inConfig, e)
	}
	for shard, f := range st.users {
		for _, e := range f.value {
			m.add(shard, e)
		}
	}
	for place, lines := range m.losers {
		slices.Sort(lines)
		m.problems[place] = strings.Join(lines, "\n")
	}
	return m.logins
}

type merger struct {
	logins
	places   map[string]int   // where each user was found
	losers   map[int][]string // by place: the users there that do not count
	fileName func(place int) string
}

// add is called for one place after the other, in the order in which they count.
func (m *merger) add(place int, e entry) {
	username := e.user.Name
	other, taken := m.places[username]
	if taken && place != config.Shard(username) {
		m.lose(place, other, username)
		return
	}
	if taken {
		m.lose(other, place, username)
	}
	m.places[username] = place
	m.users[username], m.digests[username] = e.user, e.digest
}

func (m *merger) lose(place, winner int, username string) {
	m.losers[place] = append(m.losers[place],
		fmt.Sprintf("user %q is also in %s, which counts: remove it here", username, m.fileName(winner)))
}
