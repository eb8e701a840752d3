package store

import "context"

// Size is how much a store holds.
type Size struct {
	// Bytes is what it takes on disk or in the server's memory, Free the part of
	// that which is used again before it grows.
	Bytes, Free int64
	// Keys is how many there are; 0 where the store does not count them.
	Keys int64
}

// Sized is a store that tells how much it holds. What a server holds may be more
// than what is ours.
type Sized interface {
	Size(ctx context.Context) (Size, error)
}

// SizeOf asks a store how much it holds; false where it does not tell.
func SizeOf(ctx context.Context, st Store) (Size, bool, error) {
	if h, ok := st.(interface{ inner() Store }); ok {
		st = h.inner()
	}
	sized, ok := st.(Sized)
	if !ok {
		return Size{}, false, nil
	}
	size, err := sized.Size(ctx)
	return size, err == nil, err
}

func (h *heeded) inner() Store { return h.Store }
