package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
)

// Mail is one message, as it arrived and as a person reads it.
type Mail struct {
	// From and To are the envelope's.
	From string
	To   []string
	// Subject is decoded; Header is as it came.
	Subject string
	Header  mail.Header
	// Text and HTML are the two bodies, decoded; empty where there is none.
	Text, HTML string
	// Inline are the parts that the HTML shows, by content identifier.
	Inline map[string][]byte
	// Raw is the message as it came over the wire.
	Raw []byte
}

func parseMail(raw []byte) (*Mail, error) {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading a mail: %w", err)
	}
	m := &Mail{Header: message.Header, Raw: raw, Inline: make(map[string][]byte)}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return nil, fmt.Errorf("reading a mail's subject: %w", err)
	}
	h := message.Header
	return m, m.part(h.Get("Content-Type"), h.Get("Content-Transfer-Encoding"), h.Get("Content-ID"), message.Body)
}

// part takes one part of the message, and those inside it.
func (m *Mail) part(contentType, encoding, id string, body io.Reader) error {
	if contentType == "" {
		contentType = "text/plain"
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("reading a mail's part %q: %w", contentType, err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		for parts := multipart.NewReader(body, parameters["boundary"]); ; {
			part, err := parts.NextRawPart()
			if err == io.EOF { //nolint:errorlint // NextRawPart returns it bare
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading a mail's parts: %w", err)
			}
			h := part.Header
			if err := m.part(h.Get("Content-Type"), h.Get("Content-Transfer-Encoding"), h.Get("Content-ID"), part); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("decoding a mail's %s: %w", kind, err)
	}
	switch {
	case id != "":
		m.Inline[strings.Trim(id, "<>")] = content
	case kind == "text/plain" && m.Text == "":
		m.Text = string(content)
	case kind == "text/html" && m.HTML == "":
		m.HTML = string(content)
	}
	return nil
}

var href = regexp.MustCompile(`(?i)href\s*=\s*"([^"]*)"`)

// Links are the addresses that the HTML leads to, in order.
func (m *Mail) Links() []string {
	var all []string
	for _, found := range href.FindAllStringSubmatch(m.HTML, -1) {
		all = append(all, html.UnescapeString(found[1]))
	}
	return all
}

// Link is the first link that contains part; empty when there is none.
func (m *Mail) Link(part string) string {
	for _, link := range m.Links() {
		if strings.Contains(link, part) {
			return link
		}
	}
	return ""
}
