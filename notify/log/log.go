// Package log stands in for a channel where none is configured: what would
// be sent goes to the log, and is kept for the console to show.
package log

import (
	"context"
	"log/slog"

	"github.com/cadenas-gateway/cadenas/approvals"
)

// Notifier is the channel "log".
type Notifier struct {
	log  *slog.Logger
	keep func(context.Context, approvals.Notice) error
}

var _ approvals.Notifier = (*Notifier)(nil)

// New makes the channel. A nil logger means slog.Default; keep, where it is
// not nil, keeps each notice (approvals.SentBook.Keep).
func New(logger *slog.Logger, keep func(context.Context, approvals.Notice) error) *Notifier {
	if logger == nil {
		logger = slog.Default()
	}
	return &Notifier{log: logger, keep: keep}
}

// Name is the channel's word.
func (n *Notifier) Name() string { return "log" }

// Notify logs one notice. The link is in the log, since at a first run there
// is no other place to find it: it opens a page, and authorises nothing
// without the number that only the waiting person sees.
func (n *Notifier) Notify(ctx context.Context, notice approvals.Notice) error {
	mail, err := approvals.RenderMail(notice)
	if err != nil {
		return approvals.Permanent("%w", err)
	}
	n.log.LogAttrs(ctx, slog.LevelInfo, "would be sent, if a channel were configured",
		slog.String("kind", string(notice.Kind)), slog.String("to", notice.To.Email), slog.String("subject", mail.Subject),
		slog.String("link", notice.Link), slog.String("request", notice.Ask.Reference), slog.String("application", notice.Application))
	if n.keep == nil {
		return nil
	}
	return n.keep(ctx, notice)
}
