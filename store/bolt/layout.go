package bolt

import (
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/cadenas-gateway/cadenas/store"
)

// What the file looks like:
//
//	meta                 format -> "2"
//	ends                 8 bytes end, then the key -> nothing
//	<partition>/         the rest of a key that has one slash -> record
//	<partition>/<kind>/  the rest of a key that has two -> record
//
// A bucket's name is what all its keys begin with, so that none of them says
// it again: partition and kind (the part of a key between its first two
// slashes) would be a third of a file. And each kind fills its pages in its
// own way: see fill.
var (
	bucketMeta = []byte("meta")
	bucketEnds = []byte("ends")
	keyFormat  = []byte("format")
)

// format is the layout this version reads and writes; earlier is what those
// before it wrote.
const (
	format  = "2"
	earlier = "1"
)

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketEnds, bucketMeta} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	switch got := string(meta.Get(keyFormat)); got {
	case format:
		return nil
	case "":
		return meta.Put(keyFormat, []byte(format))
	case earlier:
		return fmt.Errorf("%w: its format is %q, of a version before the first release; this one reads %q: begin with a new file", ErrFormat, got, format)
	default:
		return fmt.Errorf("%w: its format is %q, this version reads %q: use the version of Cadenas that wrote it, or a newer one", ErrFormat, got, format)
	}
}

// split returns the name of the bucket that holds a key, and the key in it.
func split(key string) (bucket, rest string) {
	first := strings.IndexByte(key, '/') + 1
	if second := strings.IndexByte(key[first:], '/'); second >= 0 {
		first += second + 1
	}
	return key[:first], key[first:]
}

// inside is the rest of a key as its bucket has it. bbolt takes no empty key:
// a zero byte stands for nothing, and one more is put before a rest that begins
// with one. The order stays what it was.
func inside(rest string) []byte {
	if rest == "" || rest[0] == 0 {
		return append([]byte{0}, rest...)
	}
	return []byte(rest)
}

// outside is the way back from inside.
func outside(key []byte) []byte {
	if len(key) > 0 && key[0] == 0 {
		return key[1:]
	}
	return key
}

// kinds returns the names of a partition's buckets in byte order, but for that
// of the keys with one slash.
func kinds(tx *bbolt.Tx, partition string) []string {
	var names []string
	prefix := partition + "/"
	c := tx.Cursor()
	for name, _ := c.Seek([]byte(prefix + "\x00")); strings.HasPrefix(string(name), prefix); name, _ = c.Next() {
		names = append(names, string(name))
	}
	return names
}

// partitionNames returns the partitions that have a bucket, in byte order.
func partitionNames(tx *bbolt.Tx) []string {
	var names []string
	c := tx.Cursor()
	for name, _ := c.First(); name != nil; {
		partition := store.Partition(string(name))
		if partition == "" { // meta and ends
			name, _ = c.Next()
			continue
		}
		names = append(names, partition)
		// Behind all that begin with the partition and its slash.
		name, _ = c.Seek([]byte(partition + "0"))
	}
	slices.Sort(names) // "two /" is before "two/", and "two" before "two "
	return names
}
