package webhook

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/cadenas-gateway/cadenas/approvals"
)

// shape makes the body and the headers of a notice.
type shape func(n approvals.Notice, c Config) ([]byte, http.Header, error)

var shapes = map[string]shape{
	"json": signed(plain), "slack": signed(slack), "teams": signed(teams), "discord": signed(discord),
	"ntfy": ntfy, "gotify": gotify,
}

// signed is a shape that is sent as JSON, signed where there is a secret.
func signed(make func(n approvals.Notice) any) shape {
	return func(n approvals.Notice, c Config) ([]byte, http.Header, error) {
		body, err := json.Marshal(make(n))
		if err != nil {
			return nil, nil, err
		}
		h := http.Header{}
		h.Set("Content-Type", "application/json")
		h.Set(NoticeHeader, n.ID)
		if c.Secret != "" {
			now := c.Clock()
			h.Set(TimeHeader, strconv.FormatInt(now.Unix(), 10))
			h.Set(SignatureHeader, Sign(c.Secret, now, body))
		}
		return body, h, nil
	}
}

type object = map[string]any

// plain is the notice as facts. The number, logins and codes are in none.
func plain(n approvals.Notice) any {
	brief := approvals.RenderBrief(n)
	body := object{
		"version": 1, "id": n.ID, "kind": n.Kind, "created": n.Created.UTC().Format(time.RFC3339),
		"title": brief.Title, "text": strings.Join(brief.Body, "\n"), "link": n.Link,
	}
	if n.Application != "" {
		body["application"] = object{"id": n.Application, "name": n.ApplicationName}
	}
	if n.Kind == approvals.NoticeDigest {
		body["digest"] = object{"more": n.More, "not_kept": n.Turned, "waiting": n.StillWaiting}
	}
	if n.Ask.ID == "" {
		return body
	}
	a := n.Ask
	ask := object{
		"id": a.ID, "reference": a.Reference, "state": a.State, "opened": a.Opened.UTC().Format(time.RFC3339),
		"user": object{"id": a.Person.User, "name": a.Person.Name}, "new": a.New, "note": a.Note,
		"device":  object{"kind": a.Device.Kind, "label": a.Device.Label},
		"browser": object{"family": a.Browser.Family, "platform": a.Browser.Platform},
		"place":   object{"name": a.Place.Name, "city": a.Place.City, "region": a.Place.Region, "country": a.Place.Country, "owner": a.Place.Owner},
	}
	if !a.State.Open() {
		d := object{"by": a.Decision.By, "name": a.Decision.Name, "via": a.Decision.Via, "at": a.Decision.At.UTC().Format(time.RFC3339), "width": a.Decision.Width}
		if !a.Decision.Until.IsZero() {
			d["until"] = a.Decision.Until.UTC().Format(time.RFC3339)
		}
		ask["decision"] = d
	}
	body["request"] = ask
	return body
}

// slack is Slack's incoming webhook, which Mattermost and Rocket.Chat read
// too. All is plain text: nothing a stranger wrote becomes a link or calls
// anybody (threat L14).
func slack(n approvals.Notice) any {
	b := approvals.RenderBrief(n)
	// Cut before it is escaped, or the cut could go through an escape.
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(cut(b.Text(), 2900))
	blocks := []object{{"type": "section", "text": object{"type": "plain_text", "text": cut(b.Text(), 2900), "emoji": false}}}
	if n.Link != "" {
		blocks = append(blocks, object{"type": "actions", "elements": []object{{
			"type": "button", "text": object{"type": "plain_text", "text": cut(b.Button, 70)}, "url": n.Link,
		}}})
	}
	return object{"text": text, "mrkdwn": false, "unfurl_links": false, "blocks": blocks}
}

// teams is an adaptive card in the envelope that Teams' workflows take. Its
// text stands in runs, which know no markdown and no date functions; a
// TextBlock knows both, and how each client escapes them is written nowhere.
func teams(n approvals.Notice) any {
	b := approvals.RenderBrief(n)
	run := func(text string, more object) object {
		one := object{"type": "TextRun", "text": text}
		maps.Copy(one, more)
		return object{"type": "RichTextBlock", "inlines": []object{one}}
	}
	body := []object{run(b.Title, object{"weight": "bolder", "size": "medium"})}
	for _, line := range b.Body {
		body = append(body, run(line, nil))
	}
	card := object{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body, "fallbackText": b.Title,
	}
	if n.Link != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": b.Button, "url": n.Link}}
	}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}}
}

// Discord's limits for an embed are 256 and 4,096 characters, and 6,000 in all.
func discord(n approvals.Notice) any {
	b := approvals.RenderBrief(n)
	embed := object{"title": markdown(b.Title, 256), "description": markdown(strings.Join(b.Body, "\n"), 4096)}
	if n.Link != "" {
		embed["url"] = n.Link
	}
	return object{"username": "Cadenas", "embeds": []object{embed}, "allowed_mentions": object{"parse": []string{}}}
}

// markdown says a text where marks are read: each sign is escaped, so that none
// is a mark, a mention, a list or a link, in at most limit characters (as
// JavaScript counts them).
func markdown(s string, limit int) string {
	for keep := limit; ; keep -= 8 {
		var b strings.Builder
		for _, r := range cut(s, keep) {
			if r < unicode.MaxASCII && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		if len(utf16.Encode([]rune(b.String()))) <= limit {
			return b.String()
		}
	}
}

// ntfy posts the text to a topic, the rest in headers (RFC 2047 for what is
// not ASCII).
func ntfy(n approvals.Notice, c Config) ([]byte, http.Header, error) {
	b := approvals.RenderBrief(n)
	h := http.Header{}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	title := mime.BEncoding.Encode("utf-8", cut(b.Title, 200))
	if strings.Contains(b.Title, "=?") { // what looks encoded would be decoded
		title = "=?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte(cut(b.Title, 200))) + "?="
	}
	h.Set("Title", title)
	h.Set("Tags", "lock")
	h.Set("Priority", map[bool]string{true: "4", false: "3"}[n.Kind == approvals.NoticeOpened])
	if n.Link != "" {
		h.Set("Click", n.Link)
	}
	if c.Secret != "" {
		h.Set("Authorization", "Bearer "+c.Secret)
	}
	text := strings.Join(b.Body, "\n")
	if text == "" {
		text = b.Title
	}
	return []byte(inBytes(text, ntfyLimit)), h, nil
}

func gotify(n approvals.Notice, c Config) ([]byte, http.Header, error) {
	b := approvals.RenderBrief(n)
	message := strings.Join(b.Body, "\n")
	if message == "" { // Gotify takes none without
		message = b.Title
	}
	extras := object{"client::display": object{"contentType": "text/plain"}}
	if n.Link != "" {
		extras["client::notification"] = object{"click": object{"url": n.Link}}
	}
	body := object{"title": b.Title, "message": cut(message, 3000), "priority": 5, "extras": extras}
	data, err := json.Marshal(body)
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	if c.Secret != "" {
		h.Set("X-Gotify-Key", c.Secret)
	}
	return data, h, err
}

// ntfyLimit is how many bytes ntfy takes; what is longer becomes a file.
const ntfyLimit = 4000

// inBytes is a text in at most limit bytes.
func inBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// cut shortens to a number of characters.
func cut(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit-1]) + "…"
}
