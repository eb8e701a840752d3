package books

import (
	"io"
	"strings"
	"time"
)

// BackupContents is what a backup holds, for whoever is about to put it back.
type BackupContents struct {
	// Made is when it was made.
	Made time.Time
	// Records is how many there are in all, Kinds how many of each kind: "user",
	// "rule", "connection", "ask", "admin", "network", "device" ...
	Records int
	Kinds   map[string]int
}

// LookIntoBackup reads a whole backup and says what it holds. The error is that
// of Restore: what can be looked into can be put back.
func LookIntoBackup(r io.Reader) (BackupContents, error) {
	head, items, err := readBackup(r)
	if err != nil {
		return BackupContents{}, err
	}
	c := BackupContents{Made: head.Made, Records: len(items), Kinds: map[string]int{}}
	for _, it := range items {
		_, rest, _ := strings.Cut(string(it.K), "/")
		kind, _, _ := strings.Cut(rest, "/")
		c.Kinds[kind]++
	}
	return c, nil
}
