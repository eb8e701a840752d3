package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxFields bounds the fields of a login form.
const maxFields = 1000

func validText(s string) bool { return utf8.ValidString(s) }

// readURLEncoded reads a form as the most lenient backend does: a bad escape
// stands for itself. Some split at semicolons too, see splitHidden.
func readURLEncoded(body string) ([]field, error) {
	var fields []field
	for part := range strings.SplitSeq(body, "&") {
		if part == "" {
			continue
		}
		if len(fields) == maxFields {
			return nil, ErrUnreadable
		}
		name, value, _ := strings.Cut(part, "=")
		fields = append(fields, field{lenientUnescape(name), lenientUnescape(value)})
		// "a=b;user=c" is one field to most and two to some: the second
		// counts as a field too, and a second user field is refused.
		if i := strings.IndexByte(part, ';'); i >= 0 {
			for hidden := range strings.SplitSeq(part[i+1:], ";") {
				name, value, ok := strings.Cut(hidden, "=")
				if ok {
					fields = append(fields, field{hiddenMark + lenientUnescape(name), lenientUnescape(value)})
				}
			}
		}
	}
	return fields, nil
}

// hiddenMark begins the name of a field that only some backends see. No form
// can send it: NUL ends a name.
const hiddenMark = "\x00;"

func lenientUnescape(s string) string {
	if t, err := url.QueryUnescape(s); err == nil {
		return t
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

// readMultipart reads the fields of a multipart form. A file counts as a
// field of its name, for some backends take it so.
func readMultipart(body []byte, boundary string) ([]field, error) {
	if boundary == "" {
		return nil, ErrUnreadable
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	var fields []field
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return fields, nil
		}
		if err != nil || len(fields) == maxFields {
			return nil, ErrUnreadable
		}
		disposition, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
		if err != nil || disposition != "form-data" || len(p.Header["Content-Disposition"]) > 1 ||
			p.Header.Get("Content-Transfer-Encoding") != "" {
			return nil, ErrUnreadable
		}
		value, err := io.ReadAll(p)
		if err != nil {
			return nil, ErrUnreadable
		}
		name := params["name"]
		if _, file := params["filename"]; file {
			fields = append(fields, field{hiddenMark + name, ""})
			continue
		}
		fields = append(fields, field{name, string(value)})
	}
}

// readJSON reads the text and numbers of a JSON document under dotted paths.
// A member that comes twice comes twice in the result, to be refused if it
// is the user's. Anything after the document is ErrUnreadable.
func readJSON(body []byte) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var fields []field
	if err := readValue(d, "", 0, &fields); err != nil {
		return nil, ErrUnreadable
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrUnreadable
	}
	return fields, nil
}

var errDepth = errors.New("nested too deep")

func readValue(d *json.Decoder, path string, depth int, fields *[]field) error {
	if depth > 32 || len(*fields) > maxFields {
		return errDepth
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		array := t == '['
		for d.More() {
			below := path
			if !array {
				name, err := d.Token()
				if err != nil {
					return err
				}
				key, _ := name.(string)
				if below != "" {
					below += "."
				}
				below += key
			}
			if err := readValue(d, below, depth+1, fields); err != nil {
				return err
			}
		}
		_, err := d.Token() // the closing one
		return err
	case string:
		*fields = append(*fields, field{path, t})
	case json.Number:
		*fields = append(*fields, field{path, t.String()})
	case bool:
		if t {
			*fields = append(*fields, field{path, "true"})
		} else {
			*fields = append(*fields, field{path, "false"})
		}
	case nil:
		*fields = append(*fields, field{path, ""})
	}
	return nil
}
