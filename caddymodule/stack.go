package caddymodule

// stackOfARequest is how much stack a request takes from here on, in bytes,
// with what asks the backend.
const stackOfARequest = 14 << 10

// deepen makes room on the stack for all that comes. Each stream of HTTP/2 has a
// goroutine of its own, which begins with little: it would grow by doubling,
// two or three times, and be copied each time with more on it.
//
//go:noinline
func deepen(used bool) byte {
	if !used { // the room is what the frame asks for, whether it is used or not
		return 0
	}
	var room [stackOfARequest]byte
	return touch(&room)
}

//go:noinline
func touch(room *[stackOfARequest]byte) byte {
	return room[len(room)-1]
}
