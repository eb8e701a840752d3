package caddymodule

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/store"
)

// wrote logs each entry of the audit that a batch brought: what an admin
// decided leaves the same line whether it was done in the console, from a mail,
// by command line or by the API, and only once it stands in the store. It is
// the log of the configuration that runs now, not of the one that opened the
// store.
func (s *state) wrote(ctx context.Context, writes []store.Write) {
	for _, e := range books.Entered(ctx, writes) {
		s.log.Load().LogAttrs(ctx, slog.LevelInfo, "entered in the activity", entered(e)...)
	}
}

// entered are the fields of an entry's line. What somebody typed is made
// harmless for whoever reads the log in a terminal (threat L14); the audit
// holds no secret.
func entered(e books.Entry) []slog.Attr {
	fields := []slog.Attr{slog.String("what", e.What)}
	for _, f := range [][2]string{
		{"application", e.Application}, {"subject", e.Subject}, {"by", e.Who}, {"from", e.From}, {"via", e.Via}, {"entry", e.ID},
	} {
		if f[1] != "" {
			fields = append(fields, slog.String(f[0], lang.Inert(f[1], 0)))
		}
	}
	var more []any
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		more = append(more, slog.String(name, lang.Inert(e.Detail[name], 0)))
	}
	if len(more) > 0 {
		fields = append(fields, slog.Group("detail", more...))
	}
	return fields
}
