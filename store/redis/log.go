package redis

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo sends what go-redis itself says, which is a line for each failed
// connection of its pool, to log at the debug level. It holds for the process.
func LogTo(log *slog.Logger) { redis.SetLogger(quiet{log}) }

type quiet struct{ log *slog.Logger }

// Printf is what go-redis calls.
func (q quiet) Printf(ctx context.Context, format string, v ...any) {
	if q.log.Enabled(ctx, slog.LevelDebug) {
		q.log.DebugContext(ctx, fmt.Sprintf(format, v...))
	}
}
