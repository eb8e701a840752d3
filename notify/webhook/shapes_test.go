package webhook

import (
	"encoding/json"
	"mime"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/cadenas-gateway/cadenas/approvals"
)

// hostile are names with which a stranger would write into somebody's chat
// what is not the gate's.
var hostile = []string{
	"*bold* _it_ ~no~ `code` ||spoiler||", "<@everyone> @here <!channel> <@U123>", "[open](http://evil.example/a)", "http://evil.example/a",
	"# big", "- list", "1. list", "> quote", "<http://evil.example/a|open>", "{{DATE(2017-02-14T06:00:00Z)}}", ":lock: <:x:1> <t:1:R>",
	"<at>Marie</at>", "=?utf-8?b?aGFja2Vk?=", "</script>\"\\", "-# small", "http:\u200b//evil.example/a", strings.Repeat("*", 300), strings.Repeat("é😀", 200),
}

func posted(t *testing.T, template string, n approvals.Notice) ([]byte, func(string) string) {
	t.Helper()
	body, header, err := shapes[template](n, Config{Template: template, Secret: "s"})
	if template != "ntfy" && template != "gotify" {
		t.Fatalf("%s is signed", template)
	}
	if err != nil {
		t.Fatal(err)
	}
	return body, header.Get
}

func eachHostile(t *testing.T, try func(t *testing.T, n approvals.Notice, name string)) {
	t.Helper()
	for _, name := range hostile {
		n := notice()
		n.Ask.Person.Name, n.Ask.Note = name, name
		t.Run(name[:min(len(name), 20)], func(t *testing.T) { try(t, n, name) })
	}
}

func into(t *testing.T, body any, shape any) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, shape); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "evil.example/a") {
		t.Errorf("a stranger's link is in it: %s", raw)
	}
}

func TestSlackReadsNoMarkOfAStranger(t *testing.T) {
	eachHostile(t, func(t *testing.T, n approvals.Notice, _ string) {
		var got struct {
			Text   string
			Mrkdwn *bool
			Blocks []struct {
				Type     string
				Text     struct{ Type, Text string }
				Elements []struct {
					Type, URL string
					Text      struct{ Type, Text string }
				}
			}
		}
		into(t, slack(n), &got)
		if got.Mrkdwn == nil || *got.Mrkdwn || len(got.Text) == 0 || strings.ContainsAny(got.Text, "<>") {
			t.Errorf("the text: %+v", got)
		}
		if len(got.Blocks) != 2 || got.Blocks[0].Type != "section" || got.Blocks[0].Text.Type != "plain_text" || utf8.RuneCountInString(got.Blocks[0].Text.Text) > 3000 {
			t.Fatalf("the blocks: %+v", got.Blocks)
		}
		if b := got.Blocks[1].Elements; len(b) != 1 || b[0].Type != "button" || b[0].URL != n.Link || b[0].Text.Type != "plain_text" || utf8.RuneCountInString(b[0].Text.Text) > 75 {
			t.Errorf("the button: %+v", b)
		}
	})
}

func TestTeamsGetsACardWithoutAnyMarkdown(t *testing.T) {
	eachHostile(t, func(t *testing.T, n approvals.Notice, name string) {
		var got struct {
			Type        string
			Attachments []struct {
				ContentType string
				Content     struct {
					Type, Version string
					Body          []struct {
						Type    string
						Inlines []struct{ Type, Text string }
					}
					Actions []struct{ Type, URL string }
					MSTeams any
				}
			}
		}
		into(t, teams(n), &got)
		if got.Type != "message" || len(got.Attachments) != 1 || got.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" {
			t.Fatalf("the envelope: %+v", got)
		}
		card := got.Attachments[0].Content
		if card.Type != "AdaptiveCard" || card.Version != "1.4" || card.MSTeams != nil || len(card.Body) < 2 {
			t.Errorf("the card: %+v", card)
		}
		for _, block := range card.Body {
			if block.Type != "RichTextBlock" || len(block.Inlines) != 1 || block.Inlines[0].Type != "TextRun" || block.Inlines[0].Text == "" {
				t.Errorf("a block that reads marks: %+v", block)
			}
		}
		if len(card.Actions) != 1 || card.Actions[0].Type != "Action.OpenUrl" || card.Actions[0].URL != n.Link {
			t.Errorf("the button: %+v", card.Actions)
		}
		if name == "# big" && !strings.Contains(card.Body[0].Inlines[0].Text, name) {
			t.Errorf("the name is not said as it is: %q", card.Body[0].Inlines[0].Text)
		}
	})
}

func TestDiscordMentionsNobodyAndReadsNoMark(t *testing.T) {
	eachHostile(t, func(t *testing.T, n approvals.Notice, _ string) {
		var got struct {
			Username        string
			Content         *string
			Embeds          []struct{ Title, Description, URL string }
			AllowedMentions struct{ Parse []string } `json:"allowed_mentions"`
		}
		into(t, discord(n), &got)
		if got.Username != "Cadenas" || got.Content != nil || got.AllowedMentions.Parse == nil || len(got.AllowedMentions.Parse) != 0 || len(got.Embeds) != 1 {
			t.Fatalf("%+v", got)
		}
		e := got.Embeds[0]
		if len(utf16.Encode([]rune(e.Title))) > 256 || len(utf16.Encode([]rune(e.Description))) > 4096 || e.URL != n.Link || e.Title == "" {
			t.Errorf("%d and %d characters: %+v", len(e.Title), len(e.Description), e)
		}
		for _, text := range []string{e.Title, e.Description} {
			for i, r := range text {
				if strings.ContainsRune("*_~`|<>[]()#@:-.{}", r) && (i == 0 || text[i-1] != '\\') {
					t.Errorf("%q is not escaped at %d of %q", r, i, text)
					break
				}
			}
		}
	})
}

func TestNtfyAndGotifyGetPlainTextOfTheirLength(t *testing.T) {
	eachHostile(t, func(t *testing.T, n approvals.Notice, name string) {
		body, header := posted(t, "ntfy", n)
		title, err := new(mime.WordDecoder).DecodeHeader(header("Title"))
		if err != nil || !utf8.Valid(body) || len(body) > 4096 || len(body) == 0 || header("Markdown") != "" || header("Actions") != "" || header("Click") != n.Link {
			t.Errorf("ntfy: %q, %v, %d bytes", title, err, len(body))
		}
		if strings.ContainsAny(header("Title"), "\r\n") || strings.Contains(title, "hacked") || strings.Contains(name, "list") && !strings.Contains(title, name) {
			t.Errorf("ntfy's title: %q from %q", title, header("Title"))
		}
		body, _ = posted(t, "gotify", n)
		var got struct {
			Title, Message string
			Priority       int
			Extras         struct {
				Display      struct{ ContentType string }         `json:"client::display"`
				Notification struct{ Click struct{ URL string } } `json:"client::notification"`
			}
		}
		into(t, json.RawMessage(body), &got)
		if got.Title == "" || got.Message == "" || got.Extras.Display.ContentType != "text/plain" || got.Extras.Notification.Click.URL != n.Link {
			t.Errorf("gotify: %+v", got)
		}
	})
	long := notice()
	long.Instead, long.Why = "email", strings.Repeat("é", 5000)
	if body, _ := posted(t, "ntfy", long); len(body) > 4096 || !utf8.Valid(body) {
		t.Errorf("%d bytes", len(body))
	}
}
