package approvals

import (
	"context"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Ailing is the last that went wrong on a channel. It is kept when it is over,
// with when the channel carried something again: a server that falls silent
// each night is found by that.
type Ailing struct {
	Channel string
	// Error is the channel's own words, At when it said them.
	Error string
	At    time.Time
	// Over is when something was sent after it; zero where nothing was yet.
	Over time.Time

	books.Unknown
}

func ailingKey(channel string) string { return books.Key("", "channel-ailing", channel) }

// ChannelNames are those of the configuration, in its order.
func (s *Service) ChannelNames() []string {
	var names []string
	for _, n := range s.conf.Notifiers {
		names = append(names, n.Name())
	}
	return names
}

// Ailing returns what last went wrong, by channel; those on which nothing ever
// did are not there.
func (s *Service) Ailing(ctx context.Context) (map[string]Ailing, error) {
	list, err := books.All[Ailing](ctx, s.st, books.Prefix("", "channel-ailing"))
	by := map[string]Ailing{}
	for _, a := range list {
		by[a.Channel] = a
	}
	return by, err
}

// ailed writes down how a notice went on its channel: an error each time, a
// success once after an error. No notice waits or fails for it.
func (s *Service) ailed(ctx context.Context, channel string, now time.Time, sendErr error) {
	s.illMu.Lock()
	ill, known := s.ill[channel]
	s.illMu.Unlock()
	if sendErr == nil && known && !ill {
		return
	}
	_, err := books.Update(ctx, s.st, ailingKey(channel), func(a *Ailing) ([]store.Write, bool, error) {
		if sendErr == nil {
			if a.Channel == "" || !a.Over.IsZero() {
				return nil, false, nil
			}
			a.Over = now
			return nil, true, nil
		}
		said := CleanText(sendErr.Error(), 300)
		if a.Error == said && a.Over.IsZero() && now.Sub(a.At) < time.Minute {
			return nil, false, nil // many notices, one trouble
		}
		a.Channel, a.Error, a.At, a.Over = channel, said, now, time.Time{}
		return nil, true, nil
	})
	if err != nil {
		s.conf.Log.Warn("a channel's last error could not be written down", "channel", channel, "error", err)
		return
	}
	s.illMu.Lock()
	defer s.illMu.Unlock()
	if s.ill == nil {
		s.ill = map[string]bool{}
	}
	s.ill[channel] = sendErr != nil
}
