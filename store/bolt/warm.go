package bolt

import "os"

// warmUpTo is how much of a file is read ahead. Most of it is records that nobody
// asks for soon, but the pages that lead to them may be anywhere.
const warmUpTo = 1 << 30

// warm reads the file once, beside whatever else happens, so that the system has
// it in memory: after a restart of the machine each first answer would wait for
// the disk some four times. It is no memory of the process, and goes when others
// want it. It ends when the store closes, or at the first error: who needs the
// page will be told.
func (s *Store) warm(file *os.File) {
	piece := make([]byte, 256<<10)
	for at := int64(0); at < warmUpTo; {
		select {
		case <-s.quit:
			return
		default:
		}
		n, err := file.ReadAt(piece, at)
		if err != nil || n == 0 {
			return
		}
		at += int64(n)
	}
}
