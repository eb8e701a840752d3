package approvals

import (
	"context"
	"fmt"

	"github.com/cadenas-gateway/cadenas/books"
)

// Test sends an admin a message by one channel, or by every one that reaches
// them where channel is "", so that they see what arrives. It is queued like
// any other: Deliveries tells what became of it. The error is ErrNoChannel
// where there is none, with the channel's name; ids are those of the
// notices.
func (s *Service) Test(ctx context.Context, to books.Admin, channel string) (ids []string, err error) {
	now := s.conf.Clock()
	queue := func(name string, r Recipient) {
		if err != nil || channel != "" && channel != name {
			return
		}
		n := s.notice(NoticeTest, "", r, name, now)
		if err = s.Queue(ctx, n); err == nil {
			ids = append(ids, n.ID)
		}
	}
	for _, n := range s.conf.Notifiers {
		if s.reaches(n.Name(), recipient(to)) {
			queue(n.Name(), recipient(to))
		}
	}
	s.eachRoom(queue)
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("%w: %s", ErrNoChannel, firstOf(channel, to.Email))
	}
	return ids, err
}
