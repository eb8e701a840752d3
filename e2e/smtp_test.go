package e2e

import (
	"strconv"
	"strings"
	"testing"

	"github.com/wneessen/go-mail"
)

// send sends one mail in both forms, with a picture inside, and returns what
// the server said.
func send(t *testing.T, m *MailServer, ca *Authority, to string) error {
	t.Helper()
	host, port, _ := strings.Cut(m.Addr, ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mail.NewClient(host, mail.WithPort(number), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithSMTPAuth(mail.SMTPAuthPlain), mail.WithUsername(m.User), mail.WithPassword(m.Password))
	if err != nil {
		t.Fatal(err)
	}
	config := ca.Server().Clone()
	config.RootCAs, config.ServerName = ca.Pool, host
	if err := client.SetTLSConfig(config); err != nil {
		t.Fatal(err)
	}
	message := mail.NewMsg()
	if err := message.From("gate@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := message.To(to); err != nil {
		t.Fatal(err)
	}
	message.Subject("Éric attend à la porte")
	message.SetBodyString(mail.TypeTextPlain, "Éric attend.\nhttp://console.localhost/a?b=1&c=2\n")
	message.AddAlternativeString(mail.TypeTextHTML, `<p>Éric attend. <a href="http://console.localhost/a?b=1&amp;c=2">Voir</a> <img src="cid:logo"></p>`)
	if err := message.EmbedReader("logo.png", strings.NewReader("not really a picture"), mail.WithFileContentID("logo")); err != nil {
		t.Fatal(err)
	}
	return client.DialAndSendWithContext(t.Context(), message)
}

func TestTheMailServerTakesAMailOverSTARTTLSAndAUTH(t *testing.T) {
	t.Parallel()
	ca := NewAuthority(t)
	m := StartMail(t, ca)
	if err := send(t, m, ca, "marie@example.com"); err != nil {
		t.Fatal(err)
	}
	got := m.Await(t, "the mail", To("marie@example.com"), 0)
	if got.Subject != "Éric attend à la porte" || got.From != "gate@example.com" {
		t.Errorf("subject %q from %q", got.Subject, got.From)
	}
	if !strings.Contains(got.Text, "Éric attend.") {
		t.Errorf("text %q", got.Text)
	}
	if got.Link("console.localhost") != "http://console.localhost/a?b=1&c=2" {
		t.Errorf("links %q in %q", got.Links(), got.HTML)
	}
	if string(got.Inline["logo"]) != "not really a picture" {
		t.Errorf("inline parts %q", got.Inline)
	}
}

func TestTheMailServerRefusesAStrangerAndAWrongAuthority(t *testing.T) {
	t.Parallel()
	ca := NewAuthority(t)
	m := StartMail(t, ca)
	if err := send(t, m, NewAuthority(t), "marie@example.com"); err == nil {
		t.Error("a certificate of another authority was believed")
	}
	wrong := &MailServer{Addr: m.Addr, User: m.User, Password: "guessed"}
	if err := send(t, wrong, ca, "marie@example.com"); err == nil {
		t.Error("a wrong password was taken")
	}
	if n := len(m.Mails()); n != 0 {
		t.Errorf("%d mails came", n)
	}
}

func TestTheMailServerGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	ca := NewAuthority(t)
	m := StartMail(t, ca)
	m.Refuse(1, 451)
	if err := send(t, m, ca, "marie@example.com"); err == nil || !strings.Contains(err.Error(), "451") {
		t.Errorf("refused for now: %v", err)
	}
	m.Close()
	if err := send(t, m, ca, "marie@example.com"); err == nil {
		t.Error("a closed server took a mail")
	}
	m.Open()
	if err := send(t, m, ca, "marie@example.com"); err != nil {
		t.Error(err)
	}
}
