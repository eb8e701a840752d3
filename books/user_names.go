package books

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/cadenas-gateway/cadenas/store"
)

// The words by which a user is found, each as a line that a range over the
// beginning of a word reads:
//
//	name/<folded word>/<user> -> nothing
//
// The line is a hint: whoever finds a user by it reads the record. The index is
// in store and not in memory, so that a gate that starts knows it, and instances
// need not tell each other.
const nameKind = "name"

// nameWords bounds the words of one user, and their length in bytes: a name is
// typed by strangers.
const (
	nameWords  = 12
	nameLength = 64
)

// Fold is the form in which names are compared in a search: small letters
// without accents.
func Fold(text string) string {
	text = strings.ToLower(text)
	plain := true
	for i := range len(text) {
		plain = plain && text[i] < 0x80
	}
	if plain {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(text))
}

// wordsOfUser are the words of a user's name, the parts of the user name and the
// e-mail before the @, and both whole.
func wordsOfUser(u User) []string {
	if u.Name == "" && u.Email == "" {
		return nil // found by the user name alone, which needs no index
	}
	var words []string
	add := func(text string) {
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			words = append(words, cut(word, nameLength))
		}
	}
	add(Fold(u.Name))
	for _, address := range []string{Fold(u.User), Fold(u.Email)} {
		local, _, _ := strings.Cut(address, "@")
		add(local)
		words = append(words, cut(address, nameLength))
	}
	slices.Sort(words)
	words = slices.Compact(words)
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
	return words[:min(len(words), nameWords)]
}

// cut keeps the beginning of a text, whole letters of it.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

func nameKey(word, user string) string { return Key("", nameKind, word, user) }

// nameWrites are the lines that come and go when a record changes.
func nameWrites(before, after User) []store.Write {
	was, is := wordsOfUser(before), wordsOfUser(after)
	var writes []store.Write
	for _, word := range was {
		if !slices.Contains(is, word) {
			writes = append(writes, store.Write{Key: nameKey(word, before.User), Quiet: true})
		}
	}
	for _, word := range is {
		if !slices.Contains(was, word) {
			writes = append(writes, store.Write{Key: nameKey(word, after.User), Value: []byte{}, Quiet: true})
		}
	}
	return writes
}

// Put keeps a user's record, before being what is kept now, or the zero User.
func (b Users) Put(u, before User) []store.Write {
	return append([]store.Write{{Key: b.Key(u.User), Value: Encode(u)}}, nameWrites(before, u)...)
}

// Delete forgets a user's record.
func (b Users) Delete(u User) []store.Write {
	return append([]store.Write{{Key: b.Key(u.User)}}, nameWrites(u, User{})...)
}

// Named returns up to limit users one of whose words begins with a folded one,
// in no order that means anything.
func (b Users) Named(ctx context.Context, word string, limit int) ([]string, error) {
	if word == "" {
		return nil, nil
	}
	prefix := Prefix("", nameKind)
	entries, err := b.st.Range(ctx, store.Query{Prefix: prefix + url.PathEscape(cut(word, nameLength)), Limit: limit, KeysOnly: true})
	if err != nil {
		return nil, err
	}
	var users []string
	for _, e := range entries {
		if _, escaped, ok := strings.Cut(e.Key[len(prefix):], "/"); ok {
			if user, err := url.PathUnescape(escaped); err == nil {
				users = append(users, user)
			}
		}
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}
