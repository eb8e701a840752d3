package e2e

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// sheet is a form of a page, filled in as it stands: what a robot sends that
// presses a button without typing anything.
type sheet struct {
	Action string
	Fields url.Values
	// Buttons are the name and value of each, in order; Ticks the boxes that
	// are not ticked, Texts the fields that are empty.
	Buttons, Ticks [][2]string
	Texts          []string
}

// sheets are the forms of an answer.
func (a *Answer) sheets() []sheet {
	a.t.Helper()
	root, err := html.Parse(bytes.NewReader(a.Body))
	if err != nil {
		a.t.Fatalf("reading %s: %v", a.URL, err)
	}
	var all []sheet
	var walk func(n *html.Node, in *sheet)
	walk = func(n *html.Node, in *sheet) {
		if n.Type == html.ElementNode {
			at := map[string]string{}
			for _, x := range n.Attr {
				at[x.Key] = x.Val
			}
			_, checked := at["checked"]
			switch n.Data {
			case "form":
				if strings.EqualFold(at["method"], "post") {
					all = append(all, sheet{Action: at["action"], Fields: url.Values{}})
					in = &all[len(all)-1]
					for c := n.FirstChild; c != nil; c = c.NextSibling {
						walk(c, in)
					}
					return
				}
			case "button":
				if in != nil {
					in.Buttons = append(in.Buttons, [2]string{at["name"], at["value"]})
				}
			case "input":
				switch {
				case in == nil || at["name"] == "":
				case at["type"] == "checkbox" && !checked:
					in.Ticks = append(in.Ticks, [2]string{at["name"], at["value"]})
				case at["type"] == "radio" && !checked:
				case at["type"] == "submit":
					in.Buttons = append(in.Buttons, [2]string{at["name"], at["value"]})
				default:
					if at["value"] == "" {
						in.Texts = append(in.Texts, at["name"])
					}
					in.Fields.Add(at["name"], at["value"])
				}
			case "textarea":
				if in != nil && at["name"] != "" {
					in.Fields.Add(at["name"], "")
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in)
		}
	}
	walk(root, nil)
	return all
}

// sheet is the form whose action contains part.
func (a *Answer) sheet(part string) sheet {
	a.t.Helper()
	for _, s := range a.sheets() {
		if strings.Contains(s.Action, part) || s.Action == "" {
			return s
		}
	}
	a.t.Fatalf("%s has no form to %s (%d):\n%.3000s", a.URL, part, a.Status, a.Body)
	return sheet{}
}

// with is the form with a field set.
func (s sheet) with(name, value string) sheet {
	fields := url.Values{}
	for k, v := range s.Fields {
		fields[k] = v
	}
	fields.Set(name, value)
	s.Fields = fields
	return s
}

// press sends a form of a page as a person does, or a robot.
func (c *Client) press(page *Answer, s sheet) *Answer {
	c.t.Helper()
	to, err := page.URL.Parse(s.Action)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.Submit(to.String(), s.Fields)
}

// enter signs a client into the console as an admin.
func (g *Gate) enter(c *Client, admin string) {
	g.t.Helper()
	link := g.ConsoleLink(admin)
	page := c.Visit(link).Expect(http.StatusOK)
	if in := c.press(page, page.sheet("")); in.Status != http.StatusSeeOther {
		g.t.Fatalf("signing into the console: %d\n%.1000s", in.Status, in.Body)
	}
}

// wait lets somebody sign in on a new device and wait: the client, its
// waiting page, and the request.
func (g *Gate) wait(user, password string) (*Client, *Answer, Request) {
	g.t.Helper()
	c := NewClient(g.t)
	held := g.App.SignIn(c, g.Site, user, password).Expect(http.StatusForbidden)
	page := c.Waiting(held)
	for _, r := range g.Requests() {
		if r.Person.User == user {
			return c, page, r
		}
	}
	g.t.Fatalf("%s does not wait", user)
	return nil, nil, Request{}
}
