package adminui_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

// upload sends a backup as the form of the settings does.
func (b *browser) upload(token, content string) answer {
	b.h.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("backup", "cadenas.backup")
	if err != nil {
		b.h.t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		b.h.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		b.h.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, host+"/settings/restore?"+url.Values{"token": {token}}.Encode(), &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", host)
	r.Header.Set("Accept-Language", "en")
	return b.send(r)
}

func TestABackupIsLookedAtAndThenPutBack(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	h := build(t, fixture.Marie, fixture.Paul)
	by := gate.By{Who: fixture.Marie.Email}
	before, err := h.gate.AddRule(t.Context(), access.Rule{Application: "register", User: "julie", Effect: access.Allow}, by)
	if err != nil {
		t.Fatal(err)
	}
	b := h.signIn(fixture.Marie.Email)
	since, err := h.gate.AddRule(t.Context(), access.Rule{Application: "register", User: "fatou", Effect: access.Allow}, by)
	if err != nil {
		t.Fatal(err)
	}
	left := func() int {
		files, err := filepath.Glob(filepath.Join(os.TempDir(), "cadenas-restore-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	has := func(id string) bool {
		_, err := h.books.Rules.Find(t.Context(), "register", id)
		return err == nil
	}

	for name, content := range map[string]string{"no backup": "not one", "half of one": h.backup()[:60]} {
		if a := b.upload(b.token, content); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "not a whole backup") {
			t.Errorf("%s: %d %.200s", name, a.StatusCode, a.body)
		}
	}
	if left() != 0 {
		t.Error("a file that is no backup was kept")
	}
	if a := b.upload("another token", h.backup()); a.StatusCode != http.StatusForbidden { // threat L11
		t.Errorf("with another session's token: %d", a.StatusCode)
	}
	paul := h.signIn(fixture.Paul.Email)
	if a := paul.upload(paul.token, h.backup()); a.StatusCode != http.StatusNotFound { // threat L23
		t.Errorf("an admin of one application: %d", a.StatusCode)
	}

	content := h.backup()
	if _, err := h.gate.EndRule(t.Context(), "register", before.ID, by); err != nil {
		t.Fatal(err)
	}
	a := b.upload(b.token, content)
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "<td>2</td><td>1</td>") {
		t.Fatalf("looking: %d %s", a.StatusCode, a.body)
	}
	if has(before.ID) || !has(since.ID) {
		t.Error("looking changed something")
	}
	if a := paul.post("/settings/restore/now"); a.StatusCode != http.StatusNotFound {
		t.Errorf("the second press of another: %d", a.StatusCode)
	}
	h.pass(time.Second)
	if a := b.post("/settings/restore/now"); a.Header.Get("Location") != "/settings?done=restored" {
		t.Fatalf("putting back: %d %s", a.StatusCode, a.body)
	}
	if !has(before.ID) || !has(since.ID) || left() != 0 {
		t.Errorf("ended rule back: %v, %d files left", has(before.ID), left())
	}
	if e := h.lastAudit(""); e.What != "restore" || e.Who != fixture.Marie.Email || e.Detail["made"] == "" {
		t.Errorf("the audit: %+v", e)
	}
	if a := b.post("/settings/restore/now"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a third press: %d", a.StatusCode)
	}
}

// backup is one made now.
func (h *house) backup() string {
	h.t.Helper()
	var out bytes.Buffer
	if _, err := books.Backup(h.t.Context(), h.st, &out, h.clock()); err != nil {
		h.t.Fatal(err)
	}
	return out.String()
}
