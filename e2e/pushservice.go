package e2e

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// PushService stands in for a browser's push service, which a machine without
// the Internet does not reach: it takes pushes and decrypts them with the
// browser's keys (RFC 8291), as the browser would.
type PushService struct {
	// Endpoint, P256dh and Auth are what a browser tells the console.
	Endpoint, P256dh, Auth string

	key  *ecdh.PrivateKey
	auth []byte
	mu   sync.Mutex
	got  []string
	errs []error
	// gone answers as if the browser had unsubscribed.
	gone bool
}

// StartPushService starts one with one browser subscribed.
func StartPushService(t testing.TB, ca *Authority) *PushService {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &PushService{key: key, auth: make([]byte, 16)}
	_, _ = rand.Read(s.auth) // never fails
	s.Endpoint = serveTLS(t, ca, s) + "/push/one"
	s.P256dh = base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())
	s.Auth = base64.RawURLEncoding.EncodeToString(s.auth)
	t.Cleanup(func() {
		for _, err := range s.errs {
			t.Errorf("a push that no browser takes: %v", err)
		}
	})
	return s
}

// Await returns the first push after the first skip ones, decrypted.
func (s *PushService) Await(t testing.TB, skip int) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(poll) {
		if list := s.Pushes(); len(list) > skip {
			return list[skip]
		}
	}
	t.Fatal("no push came")
	return ""
}

// Pushes are those that came, decrypted.
func (s *PushService) Pushes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

// Unsubscribe makes the browser one that is gone.
func (s *PushService) Unsubscribe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
}

func (s *PushService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		w.WriteHeader(http.StatusGone)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 8192))
	var plain []byte
	if err == nil {
		plain, err = s.decrypt(r.Header, body)
	}
	if err != nil {
		s.errs = append(s.errs, err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.got = append(s.got, string(plain))
	w.WriteHeader(http.StatusCreated)
}

func (s *PushService) decrypt(h http.Header, body []byte) ([]byte, error) {
	if !strings.HasPrefix(h.Get("Authorization"), "vapid t=") || h.Get("TTL") == "" || h.Get("Topic") == "" || h.Get("Content-Encoding") != "aes128gcm" || len(body) < 86 {
		return nil, fmt.Errorf("headers %v, %d bytes", h, len(body))
	}
	sender, err := ecdh.P256().NewPublicKey(body[21:86])
	if err != nil {
		return nil, err
	}
	shared, err := s.key.ECDH(sender)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(s.key.PublicKey().Bytes()) + string(sender.Bytes())
	ikm, err1 := hkdf.Key(sha256.New, shared, s.auth, info, 32)
	key, err2 := hkdf.Key(sha256.New, ikm, body[:16], "Content-Encoding: aes128gcm\x00", 16)
	nonce, err3 := hkdf.Key(sha256.New, ikm, body[:16], "Content-Encoding: nonce\x00", 12)
	block, err4 := aes.NewCipher(key)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, body[86:], nil)
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimRight(strings.TrimRight(string(plain), "\x00"), "\x02")), nil
}
