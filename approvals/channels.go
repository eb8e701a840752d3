package approvals

import "github.com/cadenas-gateway/cadenas/books"

// Channels are the names of the channels that reach an admin in person, in the
// order of the configuration. Rooms, which are nobody's own, are left out.
func (s *Service) Channels(a books.Admin) []string {
	var list []string
	for _, n := range s.conf.Notifiers {
		if s.reaches(n.Name(), recipient(a)) {
			list = append(list, n.Name())
		}
	}
	return list
}
