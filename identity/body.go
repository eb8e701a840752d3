package identity

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/text/encoding/htmlindex"
)

// keptBody is a login's body, read whole so that the user field can be seen,
// and handed on byte for byte. It is wiped when the request is over: nothing
// that was typed stays (threat L26).
type keptBody struct {
	mu   sync.Mutex
	data []byte
	at   int
	rest io.ReadCloser // what was not read; nil when data is all
	form form
	err  error // why the form could not be read
}

// form is what a login body says, by field.
type form struct {
	fields []field
	// json says that a script sent it, by its shape.
	json bool
}

// field is one field of a form; a JSON member has its dotted path as name.
type field struct{ name, value string }

func (k *keptBody) Read(p []byte) (int, error) {
	k.mu.Lock()
	if k.at < len(k.data) {
		n := copy(p, k.data[k.at:])
		k.at += n
		k.mu.Unlock()
		return n, nil
	}
	rest := k.rest
	k.mu.Unlock()
	if rest == nil {
		return 0, io.EOF
	}
	return rest.Read(p)
}

func (k *keptBody) Close() error {
	if k.rest != nil {
		return k.rest.Close()
	}
	return nil
}

// wipe overwrites what was read. A transport that still reads gets the end.
func (k *keptBody) wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.data)
	k.data, k.at = nil, 0
	clear(k.form.fields)
	k.form.fields = nil
}

// keep reads the body of a possible login, up to limit bytes, and puts it
// back on the request, with the length and the transfer encoding it came
// with. Called again it returns the same.
func keep(r *http.Request, limit int64) *keptBody {
	if k, ok := r.Body.(*keptBody); ok {
		return k
	}
	k := &keptBody{}
	if r.Body == nil || r.Body == http.NoBody {
		return k
	}
	body := r.Body
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	k.data, k.rest = data, body
	r.Body = k
	switch {
	case err != nil:
		k.err = fmt.Errorf("reading a login body: %w", errors.Join(ErrUnreadable, err))
		return k
	case int64(len(data)) > limit:
		k.err = ErrTooLarge
		return k
	}
	k.form, k.err = readForm(r.Header, data, limit)
	return k
}

// readForm reads the fields of a body by its headers. What is of no known
// kind is ErrUnreadable: some backend may read it where we cannot.
func readForm(h http.Header, data []byte, limit int64) (form, error) {
	if len(data) == 0 {
		return form{}, nil
	}
	if len(h.Values("Content-Type")) > 1 || len(h.Values("Content-Encoding")) > 1 {
		return form{}, ErrUnreadable
	}
	plain, err := decompress(h.Get("Content-Encoding"), data, limit)
	if err != nil {
		return form{}, err
	}
	if len(plain) > 0 && len(data) > 0 && &plain[0] != &data[0] {
		defer clear(plain)
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return form{}, ErrUnreadable
	}
	switch {
	case kind == "application/x-www-form-urlencoded":
		fields, err := readURLEncoded(string(plain))
		if err != nil {
			return form{}, err
		}
		return decodeFields(form{fields: fields}, params["charset"])
	case kind == "multipart/form-data":
		fields, err := readMultipart(plain, params["boundary"])
		if err != nil {
			return form{}, err
		}
		return decodeFields(form{fields: fields}, params["charset"])
	case kind == "application/json", kind == "text/json", strings.HasSuffix(kind, "+json"):
		if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "utf8") {
			return form{}, ErrUnreadable
		}
		fields, err := readJSON(plain)
		return form{fields: fields, json: true}, err
	}
	return form{}, ErrUnreadable
}

// decompress undoes a content encoding, bounded: a bomb is too large.
func decompress(encoding string, data []byte, limit int64) ([]byte, error) {
	var from io.Reader
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return data, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, ErrUnreadable
		}
		from = z
	case "deflate": // zlib by the standard, bare by custom
		z, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			from = flate.NewReader(bytes.NewReader(data))
		} else {
			from = z
		}
	default:
		return nil, ErrUnreadable
	}
	plain, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err != nil {
		return nil, ErrUnreadable
	}
	if int64(len(plain)) > limit {
		return nil, ErrTooLarge
	}
	return plain, nil
}

// decodeFields turns names and values into UTF-8. Without a charset each is
// that, or else Windows-1252, as browsers send from a page in Latin-1: each
// by itself, so that no other field changes how the user's name is read.
func decodeFields(f form, charset string) (form, error) {
	if charset == "" {
		for i := range f.fields {
			if c := f.fields[i].name; c == "_charset_" {
				charset = f.fields[i].value
			}
		}
	}
	guessed := charset == ""
	if guessed {
		charset = "windows-1252"
	}
	encoding, err := htmlindex.Get(charset)
	if err != nil {
		return form{}, ErrUnreadable
	}
	switch name, err := htmlindex.Name(encoding); {
	case err != nil, name == "utf-16be", name == "utf-16le", name == "iso-2022-jp", name == "replacement":
		// Most backends do not heed a charset: under these they would read
		// another name out of plain letters, a locked one's say (threat L26).
		return form{}, ErrUnreadable
	case name == "utf-8":
		return f, nil
	}
	for i := range f.fields {
		for _, text := range []*string{&f.fields[i].name, &f.fields[i].value} {
			switch valid := validText(*text); {
			case valid && (guessed || ascii(*text)):
				continue
			case valid:
				return form{}, ErrUnreadable // two readings, as above
			}
			if *text, err = encoding.NewDecoder().String(*text); err != nil {
				return form{}, ErrUnreadable
			}
		}
	}
	return f, nil
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
