package webhook

import (
	"context"
	"strconv"

	"github.com/cadenas-gateway/cadenas/approvals"
)

// Several is the channel "webhook" for several addresses, each a room. The
// second on one host is named after it and its number.
type Several struct {
	rooms []approvals.Recipient
	by    map[string]*Notifier
}

var (
	_ approvals.Notifier = (*Several)(nil)
	_ approvals.Roomy    = (*Several)(nil)
)

// Join makes one channel of several addresses.
func Join(list ...*Notifier) *Several {
	s := &Several{by: map[string]*Notifier{}}
	for _, n := range list {
		for _, room := range n.Rooms() {
			name := room.Name
			for i := 2; s.by[room.Name] != nil; i++ {
				room.Name = name + " " + strconv.Itoa(i)
			}
			s.by[room.Name] = n
			s.rooms = append(s.rooms, room)
		}
	}
	return s
}

// Name is the channel's word.
func (*Several) Name() string { return "webhook" }

// Rooms are those of all, in order.
func (s *Several) Rooms() []approvals.Recipient { return s.rooms }

// Notify posts a notice to the address of its room.
func (s *Several) Notify(ctx context.Context, notice approvals.Notice) error {
	n, ok := s.by[notice.To.Name]
	if !ok {
		return approvals.Permanent("no webhook to %s is configured any more", notice.To.Name)
	}
	return n.Notify(ctx, notice)
}
