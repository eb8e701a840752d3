package books

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// Unknown is embedded in records that are read, changed and written again. It
// carries the fields that a newer version wrote and this one does not know, so
// that instances of two adjacent versions can share a store: what the older
// one writes back is whole.
//
// Only fields at the top of a record are carried: a version that adds one
// deeper inside raises Least (format.go).
type Unknown struct {
	fields string // a CBOR map; "" for none
}

// Newer returns the fields that were not known when the record was read, as a
// CBOR map; "" where all were.
func (u Unknown) Newer() string { return u.fields }

// KeepNewer keeps them; Decode calls it.
func (u *Unknown) KeepNewer(fields string) { u.fields = fields }

// strict returns an error for a field that is not known, which costs nothing
// where there is none.
var strict = func() cbor.DecMode {
	m, err := cbor.DecOptions{ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// withNewer is Encode for a record that carries unknown fields. What the
// record says itself goes before them.
func withNewer(own []byte, newer string) ([]byte, error) {
	all, some := map[any]cbor.RawMessage{}, map[any]cbor.RawMessage{}
	if err := cbor.Unmarshal([]byte(newer), &all); err != nil {
		return nil, err
	}
	if err := cbor.Unmarshal(own, &some); err != nil {
		return nil, err
	}
	for k, v := range some {
		all[k] = v
	}
	return encoding.Marshal(all)
}

// decode reads a record and has it keep what is not known of it.
func decode(b []byte, v any) error {
	err := strict.Unmarshal(b, v)
	var unknown *cbor.UnknownFieldError
	if err == nil || !errors.As(err, &unknown) {
		return err
	}
	// A part of it may have been read before the unknown field; it is read
	// again with the rest.
	if err := cbor.Unmarshal(b, v); err != nil {
		return err
	}
	keeper, ok := v.(interface{ KeepNewer(fields string) })
	if !ok {
		return nil
	}
	all := map[any]cbor.RawMessage{}
	if err := cbor.Unmarshal(b, &all); err != nil {
		return err
	}
	known := fieldsOf(reflect.TypeOf(v).Elem())
	for k := range all {
		if known[strings.ToLower(fmt.Sprint(k))] {
			delete(all, k)
		}
	}
	if len(all) == 0 {
		return nil // it was deeper inside
	}
	fields, err := encoding.Marshal(all)
	if err != nil {
		return err
	}
	keeper.KeepNewer(string(fields))
	return nil
}

var fields sync.Map // reflect.Type -> map[string]bool

// fieldsOf are the keys by which a record's type is stored, in lower case
// since a key is read in any.
func fieldsOf(t reflect.Type) map[string]bool {
	if known, ok := fields.Load(t); ok {
		return known.(map[string]bool)
	}
	known := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		tag, ok := f.Tag.Lookup("cbor")
		if !ok {
			tag = f.Tag.Get("json")
		}
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || !f.IsExported():
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
		case strings.Contains(options, "keyasint"):
			n, err := strconv.Atoi(name)
			if err == nil {
				known[strconv.Itoa(n)] = true
			}
		case name != "":
			known[strings.ToLower(name)] = true
		default:
			known[strings.ToLower(f.Name)] = true
		}
	}
	fields.Store(t, known)
	return known
}
