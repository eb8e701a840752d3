package books

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/cadenas-gateway/cadenas/store"
)

// backupKind is the first line of a backup; a file without it is none of
// ours.
const backupKind = "cadenas backup 2"

// ErrBackup says that a file is no backup, or not a whole one.
var ErrBackup = errors.New("not a whole backup of Cadenas")

// backupHead, backupItem and the closing sum are a sequence of CBOR items
// (RFC 8742).
type backupHead struct {
	Kind string
	Made time.Time
}

type backupItem struct {
	K []byte `cbor:"k,omitempty"`
	V []byte `cbor:"v,omitempty"`
	// Sum is the SHA-256 of all items before it; only in the last one.
	Sum string `cbor:"sum,omitempty"`
	N   int    `cbor:"n,omitempty"`
}

// leftOut reports whether a key is never in a backup: keys, and what is worth
// nothing without them or is over in minutes.
func leftOut(key string) bool {
	_, rest, _ := strings.Cut(key, "/")
	kind, _, _ := strings.Cut(rest, "/")
	switch kind {
	case "keys", "held", "console-session", "console-link", "pass", "sent", "vapid", "push", "short", "code", "passkey-answered", "lesson":
		return true
	}
	return false
}

// Backup writes everything but keys and what they seal, and returns how many
// records that were.
func Backup(ctx context.Context, st store.Store, w io.Writer, now time.Time) (int, error) {
	sum := sha256.New()
	out := bufio.NewWriter(w)
	enc := encoding.NewEncoder(io.MultiWriter(out, sum))
	if err := enc.Encode(backupHead{Kind: backupKind, Made: now}); err != nil {
		return 0, err
	}
	partitions, err := st.Partitions(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, p := range partitions {
		q := store.Query{Prefix: p + "/", Limit: 1000}
		for {
			entries, err := st.Range(ctx, q)
			if err != nil {
				return n, err
			}
			for _, e := range entries {
				if leftOut(e.Key) {
					continue
				}
				if err := enc.Encode(backupItem{K: []byte(e.Key), V: e.Value}); err != nil {
					return n, err
				}
				n++
			}
			if len(entries) < q.Limit {
				break
			}
			q.After = entries[len(entries)-1].Key
		}
	}
	if err := encoding.NewEncoder(out).Encode(backupItem{Sum: sumText(sum), N: n}); err != nil {
		return n, err
	}
	return n, out.Flush()
}

func sumText(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// Restore makes the store hold what a backup holds, keys aside. Nothing is
// changed before the whole of it was read and its sum is right.
func Restore(ctx context.Context, st store.Store, r io.Reader) (int, error) {
	_, items, err := readBackup(r)
	if err != nil {
		return 0, err
	}
	wanted := map[string]bool{}
	byPartition := map[string][]store.Write{}
	for _, it := range items {
		key := string(it.K)
		wanted[key] = true
		p := store.Partition(key)
		byPartition[p] = append(byPartition[p], store.Write{Key: key, Value: it.V})
	}
	partitions, err := st.Partitions(ctx)
	if err != nil {
		return 0, err
	}
	for _, p := range partitions {
		q := store.Query{Prefix: p + "/", Limit: 1000, KeysOnly: true}
		for {
			entries, err := st.Range(ctx, q)
			if err != nil {
				return 0, err
			}
			for _, e := range entries {
				if !leftOut(e.Key) && !isPlace(e.Key) && !wanted[e.Key] {
					byPartition[p] = append(byPartition[p], store.Write{Key: e.Key})
				}
			}
			if len(entries) < q.Limit {
				break
			}
			q.After = entries[len(entries)-1].Key
		}
	}
	ctx = context.WithValue(ctx, restoring{}, true)
	for p, writes := range byPartition {
		for len(writes) > 0 {
			n := min(len(writes), 1000)
			if err := st.Apply(ctx, store.Batch{Writes: writes[:n]}); err != nil {
				return 0, fmt.Errorf("restoring %s: %w", p, err)
			}
			writes = writes[n:]
		}
	}
	return len(items), nil
}

func readBackup(r io.Reader) (backupHead, []backupItem, error) {
	sum := sha256.New()
	dec := cbor.NewDecoder(bufio.NewReader(r))
	var head backupHead
	if err := dec.Decode(&head); err != nil || head.Kind != backupKind {
		return head, nil, ErrBackup
	}
	sum.Write(Encode(head))
	var items []backupItem
	for {
		var it backupItem
		if err := dec.Decode(&it); err != nil {
			return head, nil, ErrBackup
		}
		if it.Sum != "" {
			if it.Sum != sumText(sum) || it.N != len(items) {
				return head, nil, ErrBackup
			}
			return head, items, nil
		}
		key := string(it.K)
		if store.Partition(key) == "" || leftOut(key) {
			return head, nil, ErrBackup
		}
		if key == FormatKey() {
			if err := Readable(it.V); err != nil {
				return head, nil, err
			}
		}
		if it.V == nil {
			it.V = []byte{}
		}
		sum.Write(Encode(it))
		items = append(items, it)
	}
}
