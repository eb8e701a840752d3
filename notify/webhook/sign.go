package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed notice. NoticeHeader bears the notice's identifier,
// which is the same when one is sent again: a receiver that keeps those of the
// last Window tells repeats apart.
const (
	TimeHeader      = "Cadenas-Timestamp"
	SignatureHeader = "Cadenas-Signature"
	NoticeHeader    = "Cadenas-Notice"
)

// Window is how far a signature's time may lie from the receiver's clock,
// before and after: what is older is a replay.
const Window = 5 * time.Minute

// ErrSignature says that a notice does not come from who holds the secret, or
// came too late.
var ErrSignature = errors.New("the webhook's signature is not good")

// Sign is the value of SignatureHeader for a body sent at a time: "v1=" and
// the hexadecimal HMAC-SHA256, under the secret, of the time in seconds since
// 1970, a full stop and the body.
func Sign(secret string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Verify is for receivers written in Go: it returns ErrSignature unless body
// was signed with the secret within Window of now.
func Verify(secret string, h http.Header, body []byte, now time.Time) error {
	seconds, err := strconv.ParseInt(h.Get(TimeHeader), 10, 64)
	if err != nil || secret == "" {
		return ErrSignature
	}
	at := time.Unix(seconds, 0)
	if d := now.Sub(at); d > Window || d < -Window {
		return ErrSignature
	}
	want := Sign(secret, at, body)
	for _, got := range strings.Split(h.Get(SignatureHeader), ",") {
		if hmac.Equal([]byte(strings.TrimSpace(got)), []byte(want)) {
			return nil
		}
	}
	return ErrSignature
}
