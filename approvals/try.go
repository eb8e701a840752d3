package approvals

import (
	"context"
	"fmt"

	"github.com/cadenas-gateway/cadenas/books"
)

// Test sends an admin a message by one channel, or by every one that reaches
// them where channel is "", so that they see what arrives. It is queued like
// any other: Deliveries tells what became of it. The error is ErrNoChannel
// where there is none, with the channel's name.
func (s *Service) Test(ctx context.Context, to books.Admin, channel string) error {
	var names []string
	for _, n := range s.conf.Notifiers {
		if _, rooms := n.(Roomy); channel != "" && channel != n.Name() || !rooms && !s.reaches(n.Name(), recipient(to)) {
			continue
		}
		names = append(names, n.Name())
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: %s", ErrNoChannel, firstOf(channel, to.Email))
	}
	now := s.conf.Clock()
	for _, name := range names {
		if _, rooms := s.channels[name].(Roomy); !rooms {
			if err := s.Queue(ctx, s.notice(NoticeTest, "", recipient(to), name, now)); err != nil {
				return err
			}
		}
	}
	var err error
	s.eachRoom(func(name string, room Recipient) {
		if err == nil && (channel == "" || channel == name) {
			err = s.Queue(ctx, s.notice(NoticeTest, "", room, name, now))
		}
	})
	return err
}
