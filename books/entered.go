package books

import (
	"context"
	"strings"

	"github.com/cadenas-gateway/cadenas/store"
)

// restoring marks the context of writes that bring back what a backup holds.
type restoring struct{}

// Entered returns the audit's entries among writes that were carried out, so
// that each can be told of once it stands in the book, whoever wrote it and in
// whichever batch. Those that a backup brings back are not among them: they
// were told of when they happened.
func Entered(ctx context.Context, writes []store.Write) []Entry {
	var list []Entry
	for _, w := range writes {
		_, rest, _ := strings.Cut(w.Key, "/")
		if w.Value == nil || !strings.HasPrefix(rest, "audit/") || ctx.Value(restoring{}) != nil {
			continue
		}
		var e Entry
		if Decode(w.Value, &e) == nil { // Audit.Write encoded it
			list = append(list, e)
		}
	}
	return list
}
