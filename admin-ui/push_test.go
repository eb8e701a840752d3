package adminui_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
)

func subscription(t *testing.T) (p256dh, auth string) {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()), base64.RawURLEncoding.EncodeToString(make([]byte, 16))
}

func TestAnAdminSubscribesABrowserAndTakesItAway(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	book := approvals.NewPushBook(h.books, h.clock)
	b := h.signIn(fixture.Marie.Email)
	const endpoint = "https://push.example.com/one"
	p256dh, auth := subscription(t)
	fields := []string{"endpoint", endpoint, "p256dh", p256dh, "auth", auth}

	if a := b.get("/account"); strings.Contains(a.body, "data-push") {
		t.Error("offered without the channel")
	}
	if a := b.post("/push/subscribe", fields...); a.StatusCode != http.StatusNotFound {
		t.Errorf("without the channel: %d", a.StatusCode)
	}
	h.console.Push = &adminui.Push{Key: "BPublic", Book: book}
	page := b.get("/account")
	if !strings.Contains(page.body, `data-push="BPublic"`) {
		t.Fatalf("%s", page.body)
	}
	if a := b.post("/push/subscribe", fields...); a.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if a := b.post("/push/subscribe", "endpoint", "http://10.0.0.1/x", "p256dh", p256dh, "auth", auth); a.StatusCode < 400 {
		t.Errorf("what is no subscription: %d", a.StatusCode)
	}
	list, err := book.Of(t.Context(), fixture.Marie.Email)
	if err != nil || len(list) != 1 || list[0].Endpoint != endpoint {
		t.Fatalf("%+v, %v", list, err)
	}
	if a := b.get("/account"); !strings.Contains(a.body, list[0].ID) || strings.Contains(a.body, endpoint) {
		t.Error("the list lacks it, or tells its endpoint")
	}
	// Another admin takes nothing away.
	paul := h.signIn(fixture.Paul.Email)
	paul.get("/account")
	paul.post("/push/unsubscribe", "id", list[0].ID)
	if list, err := book.Of(t.Context(), fixture.Marie.Email); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	b.post("/push/unsubscribe", "endpoint", endpoint)
	if list, err := book.Of(t.Context(), fixture.Marie.Email); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestThreat_L11_NobodySubscribesAnAdminFromElsewhere(t *testing.T) {
	h := build(t, fixture.Marie)
	h.console.Push = &adminui.Push{Key: "BPublic", Book: approvals.NewPushBook(h.books, h.clock)}
	b := h.signIn(fixture.Marie.Email)
	b.get("/account")
	p256dh, auth := subscription(t)
	token := b.token
	b.token = "another"
	for _, path := range []string{"/push/subscribe", "/push/unsubscribe", "/push/test"} {
		if a := b.post(path, "endpoint", "https://push.example.com/one", "p256dh", p256dh, "auth", auth); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s without the token: %d", path, a.StatusCode)
		}
	}
	b.token = token
	if a := h.browser().post("/push/subscribe", "endpoint", "https://push.example.com/one", "p256dh", p256dh, "auth", auth); a.StatusCode == http.StatusNoContent {
		t.Error("without a session")
	}
}
