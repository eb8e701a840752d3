package books

import (
	"context"
	"net/netip"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
)

// Connection is the five together, with when they were seen and what was
// last answered. It is never a TCP socket.
type Connection struct {
	// ID sorts by the time the connection was first seen.
	ID          string
	User        string
	Application string
	Device      access.Device
	Browser     access.Browser
	Place       access.Place
	First, Last time.Time
	// Count is how many visits it had, one visit being a burst of requests
	// within five minutes.
	Count uint64
	// Answer and Step are the last verdict's, with the padlock as it was;
	// Shadow is what a closed padlock would have answered.
	Answer, Shadow access.Answer
	Step           access.Step
	// New is what was new when it was last judged.
	New []access.Part
	// Adopted says that only sessions older than the gate were seen on it:
	// the first closing does not import it.
	Adopted bool

	Unknown
}

// Visit is the connection as the rule sees it.
func (c Connection) Visit() access.Visit {
	return access.Visit{User: c.User, Application: c.Application, Device: c.Device, Browser: c.Browser, Place: c.Place}
}

// record is a connection in store: numbered fields, so that a million of
// them stay small.
type record struct {
	User     string        `cbor:"1,keyasint"`
	Device   string        `cbor:"2,keyasint,omitempty"`
	Kind     access.Kind   `cbor:"3,keyasint,omitempty"`
	Label    string        `cbor:"4,keyasint,omitempty"`
	Family   string        `cbor:"5,keyasint,omitempty"`
	Platform string        `cbor:"6,keyasint,omitempty"`
	Version  string        `cbor:"7,keyasint,omitempty"`
	Name     string        `cbor:"8,keyasint,omitempty"`
	NameFor  string        `cbor:"9,keyasint,omitempty"`
	City     string        `cbor:"10,keyasint,omitempty"`
	Region   string        `cbor:"11,keyasint,omitempty"`
	Country  string        `cbor:"12,keyasint,omitempty"`
	Owner    string        `cbor:"13,keyasint,omitempty"`
	Address  []byte        `cbor:"14,keyasint,omitempty"`
	Point    []float32     `cbor:"15,keyasint,omitempty"`
	Private  bool          `cbor:"16,keyasint,omitempty"`
	First    int64         `cbor:"17,keyasint"`
	Last     int64         `cbor:"18,keyasint"`
	Count    uint64        `cbor:"19,keyasint"`
	Answer   access.Answer `cbor:"20,keyasint,omitempty"`
	Shadow   access.Answer `cbor:"21,keyasint,omitempty"`
	Step     access.Step   `cbor:"22,keyasint,omitempty"`
	New      []access.Part `cbor:"23,keyasint,omitempty"`
	Adopted  bool          `cbor:"24,keyasint,omitempty"`

	Unknown
}

func pack(c Connection) record {
	r := record{
		User: c.User, Device: c.Device.ID, Kind: c.Device.Kind, Label: c.Device.Label,
		Family: c.Browser.Family, Platform: c.Browser.Platform, Version: c.Browser.Version,
		Name: c.Place.Name, NameFor: c.Place.NameFor, City: c.Place.City, Region: c.Place.Region,
		Country: c.Place.Country, Owner: c.Place.Owner, Private: c.Place.Private,
		First: c.First.Unix(), Last: c.Last.Unix(), Count: c.Count,
		Answer: c.Answer, Shadow: c.Shadow, Step: c.Step, New: c.New, Adopted: c.Adopted, Unknown: c.Unknown,
	}
	if c.Place.Address.IsValid() {
		r.Address = c.Place.Address.AsSlice()
	}
	if c.Place.Located {
		r.Point = []float32{float32(c.Place.Latitude), float32(c.Place.Longitude)}
	}
	return r
}

func unpack(application, id string, r record) Connection {
	c := Connection{
		ID: id, User: r.User, Application: application,
		Device:  access.Device{ID: r.Device, Kind: r.Kind, Label: r.Label},
		Browser: access.Browser{Family: r.Family, Platform: r.Platform, Version: r.Version},
		Place: access.Place{
			Name: r.Name, NameFor: r.NameFor, City: r.City, Region: r.Region,
			Country: r.Country, Owner: r.Owner, Private: r.Private,
		},
		First: time.Unix(r.First, 0), Last: time.Unix(r.Last, 0), Count: r.Count,
		Answer: r.Answer, Shadow: r.Shadow, Step: r.Step, New: r.New, Adopted: r.Adopted, Unknown: r.Unknown,
	}
	if a, ok := netip.AddrFromSlice(r.Address); ok {
		c.Place.Address = a
	}
	if len(r.Point) == 2 {
		c.Place.Located = true
		c.Place.Latitude, c.Place.Longitude = float64(r.Point[0]), float64(r.Point[1])
	}
	return c
}

// Connections is the book of connections.
type Connections struct{ st store.Store }

// Put keeps a connection, its place in its user's list and its line in the
// index by last visit. Writes of one batch must be one application's.
func (Connections) Put(c Connection) []store.Write {
	return []store.Write{
		{Key: Key(c.Application, "connection", c.ID), Value: Encode(pack(c))},
		{Key: Key(c.Application, "connection-of", c.User, c.ID), Value: []byte{1}},
		seenWrite(c),
	}
}

// Touch is Put for a connection whose place in the list is there already;
// before is when it was last seen as stored, where the index has it.
func (Connections) Touch(c Connection, before time.Time) []store.Write {
	writes := []store.Write{{Key: Key(c.Application, "connection", c.ID), Value: Encode(pack(c))}}
	if seenPart(before) != seenPart(c.Last) {
		writes = append(writes, store.Write{Key: seenKey(c.Application, before, c.ID)}, seenWrite(c))
	}
	return writes
}

// Delete forgets a connection.
func (Connections) Delete(c Connection) []store.Write {
	return []store.Write{
		{Key: Key(c.Application, "connection", c.ID)},
		{Key: Key(c.Application, "connection-of", c.User, c.ID)},
		{Key: seenKey(c.Application, c.Last, c.ID)},
	}
}

// Get returns one connection, or store.ErrNotFound.
func (b Connections) Get(ctx context.Context, application, id string) (Connection, error) {
	r, err := Get[record](ctx, b.st, Key(application, "connection", id))
	return unpack(application, id, r), err
}

// Of returns up to limit of a user's connections in an application, newest
// first seen first.
func (b Connections) Of(ctx context.Context, application, user string, limit int) ([]Connection, error) {
	prefix := Prefix(application, "connection-of", user)
	entries, err := b.st.Range(ctx, store.Query{Prefix: prefix, Reverse: true, Limit: limit, KeysOnly: true})
	if err != nil {
		return nil, err
	}
	list := make([]Connection, 0, len(entries))
	for _, e := range entries {
		c, err := b.Get(ctx, application, e.Key[len(prefix):])
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// Each hands every connection of an application to do, newest first seen
// first, until it returns false.
func (b Connections) Each(ctx context.Context, application string, do func(c Connection) bool) error {
	prefix := Prefix(application, "connection")
	return Each(ctx, b.st, store.Query{Prefix: prefix, Reverse: true}, func(key string, r record) bool {
		return do(unpack(application, key[len(prefix):], r))
	})
}
