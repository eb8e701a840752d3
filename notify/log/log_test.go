package log

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func notice(i int) approvals.Notice {
	return approvals.Notice{
		ID: fmt.Sprintf("notice%06d", i), Kind: approvals.NoticeOpened, Channel: "log",
		To:          approvals.Recipient{Email: "marie@example.com", Name: "Marie", Language: "en", Admin: true},
		Application: "app.example.com", ApplicationName: "Register",
		Link: fmt.Sprintf("https://gate.example.com/decide/token%d", i),
		Ask: approvals.AccessRequest{
			ID: "ask", Reference: "7KD-4M2", Number: "47", State: approvals.Waiting,
			Person: access.Person{User: "julie", Name: "Julie\r\nlevel=ERROR msg=forged"},
		},
	}
}

func TestWhatWouldBeSentIsLoggedAndKept(t *testing.T) {
	var out bytes.Buffer
	st := memory.New()
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	book := approvals.NewSentBook(books.New(st), func() *seal.Ring { return ring }, nil)
	n := New(slog.New(slog.NewTextHandler(&out, nil)), book.Keep)
	for i := range 130 {
		if err := n.Notify(t.Context(), notice(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Notify(t.Context(), notice(129)); err != nil { // at least once may be twice
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 131 || !strings.Contains(lines[0], "https://gate.example.com/decide/token0") || !strings.Contains(lines[0], "Julie level=ERROR msg=forged") {
		t.Errorf("%d lines; the first: %s", len(lines), lines[0])
	}
	list, err := book.List(t.Context())
	if err != nil || len(list) != 100 || list[0].ID != "notice000129" || list[0].Link != notice(129).Link || list[99].ID != "notice000030" {
		t.Fatalf("%d kept, %v", len(list), err)
	}
	if list[0].Ask.Number != "" || list[0].At.IsZero() {
		t.Errorf("%+v", list[0])
	}
	if _, err := approvals.RenderMail(list[0].Notice); err != nil {
		t.Errorf("what is kept cannot be shown: %v", err)
	}
	entries, err := st.Range(t.Context(), store.Query{Prefix: "_/"})
	if err != nil || len(entries) != 100 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if bytes.Contains(e.Value, []byte("token")) {
			t.Fatal("a link lies open in the store")
		}
	}
}
