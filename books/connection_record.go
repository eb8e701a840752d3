package books

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// A connection in store is not CBOR but some forty bytes, since there are
// millions of them. In order:
//
//	form       1 byte, recordForm
//	flags      2 bytes
//	device     16 bytes where flagDevice, else text
//	kind, label, family, platform   words
//	version    number
//	place      8 bytes of the code of its words, where flagPlace
//	address    4 bytes where flagIPv4, 16 where flagIPv6
//	first      varint where flagFirst: seconds from the mark's
//	last       varint: seconds from first
//	count      uvarint
//	answers    1 byte: answer, and shadow in the upper half
//	step, new  1 byte: step, and the parts in the upper half
//	newer      fields of a later version, as a CBOR map: see Unknown
//
// A text is its length as uvarint and its bytes. A word is the byte of its
// place in a list, from 1, or 0 and a text. A number is a uvarint: twice the
// number and one, or twice the length of a text, which follows.
const recordForm = 1

// The flags of a record.
const (
	flagDevice uint16 = 1 << iota
	flagPlace
	flagIPv4
	flagIPv6
	flagFirst
	flagPrivate
	flagAdopted
)

// The words that have a byte of their own. Their numbers are in files: a list
// only grows, at its end, and a version that adds to one raises least
// (format.go).
var (
	kindWords  = []string{string(access.Phone), string(access.Tablet), string(access.Computer), string(access.Other)}
	labelWords = []string{
		"iPhone", "iPad", "Android phone", "Android tablet", "Fire tablet", "Windows computer", "Mac", "Chromebook",
		"Linux computer", "Computer", "Phone", "Tablet", "Television", "Game console", "Program", "Unknown device",
	}
	familyWords = []string{
		"Chrome", "Chromium", "Safari", "Firefox", "Edge", "Brave", "Opera", "Samsung Internet", "Headless Chrome", "Installed app", "Web view", "Other",
		"Vivaldi", "DuckDuckGo", "curl",
	}
	platformWords = []string{
		"Windows", "macOS", "iOS", "Android", "ChromeOS", "Linux", "Fire OS", "HarmonyOS", "KaiOS", "TV", "Game console", "BSD", "Other",
	}
	answerWords = []access.Answer{"", access.LetIn, access.Biopass, access.Approval, access.Deny}
	stepWords   = []access.Step{
		"", access.StepLocked, access.StepPadlock, access.StepExempt, access.StepFull, access.StepRule, access.StepPolicy, access.StepKnown, access.StepBiopass,
	}
	partWords = []access.Part{access.PartDevice, access.PartPlace, access.PartBrowser, access.PartCombination}
)

// packing is a record being written.
type packing struct{ b []byte }

func (p *packing) text(s string) {
	p.b = binary.AppendUvarint(p.b, uint64(len(s)))
	p.b = append(p.b, s...)
}

func (p *packing) word(list []string, s string) {
	i := slices.Index(list, s) + 1
	p.b = append(p.b, byte(i)) //nolint:gosec // the lists are short
	if i == 0 {
		p.text(s)
	}
}

// number writes digits as a number where they read back as they are.
func (p *packing) number(s string) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && strconv.FormatUint(n, 10) == s {
		p.b = binary.AppendUvarint(p.b, n<<1|1)
		return
	}
	p.b = binary.AppendUvarint(p.b, uint64(len(s))<<1)
	p.b = append(p.b, s...)
}

// half is the number of a word of a closed list in four bits.
func half[W comparable](list []W, w W) byte {
	return byte(max(slices.Index(list, w), 0)) //nolint:gosec // the lists are short
}

// pack writes a connection; code is that of its place's words.
func pack(c Connection, m mark, code placeCode) []byte {
	var flags uint16
	set := func(is bool, flag uint16) bool {
		if is {
			flags |= flag
		}
		return is
	}
	p := packing{make([]byte, 3, 64)}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(c.Device.ID)
	if set(err == nil && len(raw) == 16, flagDevice) {
		p.b = append(p.b, raw...)
	} else {
		p.text(c.Device.ID)
	}
	p.word(kindWords, string(c.Device.Kind))
	p.word(labelWords, c.Device.Label)
	p.word(familyWords, c.Browser.Family)
	p.word(platformWords, c.Browser.Platform)
	p.number(c.Browser.Version)
	if set(wordsOf(c.Place) != placeWords{}, flagPlace) {
		p.b = append(p.b, code[:]...)
	}
	if a := c.Place.Address; a.IsValid() {
		set(a.Is4(), flagIPv4)
		set(!a.Is4(), flagIPv6)
		p.b = append(p.b, a.AsSlice()...)
	}
	first := c.First.Unix()
	if set(first != m.time().Unix(), flagFirst) {
		p.b = binary.AppendVarint(p.b, first-m.time().Unix())
	}
	p.b = binary.AppendVarint(p.b, c.Last.Unix()-first)
	p.b = binary.AppendUvarint(p.b, c.Count)
	p.b = append(p.b, half(answerWords, c.Answer)|half(answerWords, c.Shadow)<<4)
	var parts byte
	for i, part := range partWords {
		if slices.Contains(c.New, part) {
			parts |= 1 << i
		}
	}
	p.b = append(p.b, half(stepWords, c.Step)|parts<<4)
	set(c.Place.Private, flagPrivate)
	set(c.Adopted, flagAdopted)
	p.b[0] = recordForm
	binary.BigEndian.PutUint16(p.b[1:], flags)
	return append(p.b, c.Newer()...)
}

// errConnection says that a record is none of pack's.
var errConnection = errors.New("a stored connection cannot be read")

// unpacking is a record being read; once it is short it stays so.
type unpacking struct {
	b     []byte
	short bool
}

func (u *unpacking) take(n uint64) []byte {
	if uint64(len(u.b)) < n {
		u.short, u.b = true, nil
		return nil
	}
	b := u.b[:n]
	u.b = u.b[n:]
	return b
}

func (u *unpacking) one() byte {
	if b := u.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (u *unpacking) uvarint() uint64 {
	n, size := binary.Uvarint(u.b)
	u.take(uint64(max(size, 0))) //nolint:gosec // not negative
	u.short = u.short || size <= 0
	return n
}

func (u *unpacking) varint() int64 {
	n, size := binary.Varint(u.b)
	u.take(uint64(max(size, 0))) //nolint:gosec // not negative
	u.short = u.short || size <= 0
	return n
}

func (u *unpacking) text() string { return string(u.take(u.uvarint())) }

func (u *unpacking) word(list []string) string {
	i := int(u.one())
	switch {
	case i == 0:
		return u.text()
	case i > len(list):
		u.short = true
		return ""
	}
	return list[i-1]
}

func (u *unpacking) number() string {
	n := u.uvarint()
	if n&1 == 1 {
		return strconv.FormatUint(n>>1, 10)
	}
	return string(u.take(n >> 1))
}

// whole is the word of a number of a closed list.
func whole[W ~string](u *unpacking, list []W, i byte) W {
	if int(i) >= len(list) {
		u.short = true
		return ""
	}
	return list[i]
}

// unpack reads what pack wrote, but for the words of the place: placed says
// that there are some, under code.
func unpack(application, user string, m mark, b []byte) (c Connection, code placeCode, placed bool, err error) {
	u := unpacking{b: b}
	if form := u.one(); form != recordForm {
		return c, code, false, fmt.Errorf("%w: its form is %d, this version reads %d", errConnection, form, recordForm)
	}
	var flags uint16
	if f := u.take(2); f != nil {
		flags = binary.BigEndian.Uint16(f)
	}
	c = Connection{ID: m.id(user), User: user, Application: application}
	if flags&flagDevice != 0 {
		c.Device.ID = base64.RawURLEncoding.EncodeToString(u.take(16))
	} else {
		c.Device.ID = u.text()
	}
	c.Device.Kind, c.Device.Label = access.Kind(u.word(kindWords)), u.word(labelWords)
	c.Browser.Family, c.Browser.Platform, c.Browser.Version = u.word(familyWords), u.word(platformWords), u.number()
	if placed = flags&flagPlace != 0; placed {
		copy(code[:], u.take(8))
	}
	switch {
	case flags&flagIPv4 != 0:
		c.Place.Address, _ = netip.AddrFromSlice(u.take(4))
	case flags&flagIPv6 != 0:
		c.Place.Address, _ = netip.AddrFromSlice(u.take(16))
	}
	first := m.time().Unix()
	if flags&flagFirst != 0 {
		first += u.varint()
	}
	c.First, c.Last = time.Unix(first, 0), time.Unix(first+u.varint(), 0)
	c.Count = u.uvarint()
	answers, step := u.one(), u.one()
	c.Answer, c.Shadow = whole(&u, answerWords, answers&15), whole(&u, answerWords, answers>>4)
	c.Step = whole(&u, stepWords, step&15)
	for i, part := range partWords {
		if step>>4&(1<<i) != 0 {
			c.New = append(c.New, part)
		}
	}
	c.Place.Private, c.Adopted = flags&flagPrivate != 0, flags&flagAdopted != 0
	if u.short {
		return Connection{}, code, false, errConnection
	}
	c.KeepNewer(string(u.b))
	return c, code, placed, nil
}
