// Preview serves every state of the pages and mails of package approvals with
// made-up people, on a loopback port, to be looked at:
//
//	go run ./approvals/preview [-listen 127.0.0.1:8099]
package main

import (
	"flag"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/pages"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8099", "address to listen on; keep it on loopback")
	flag.Parse()
	server := &http.Server{Addr: *listen, Handler: handler(), ReadHeaderTimeout: 5 * time.Second}
	fmt.Printf("http://%s/\n", *listen)
	log.Fatal(server.ListenAndServe())
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pages.AssetPath, pages.Assets())
	for name, page := range waitingStates() {
		mux.HandleFunc("GET /waiting/"+name, func(w http.ResponseWriter, r *http.Request) {
			page := page
			page.Here = r.URL.Path
			report(approvals.WriteWaiting(w, r, pages.Language(r, nil), http.StatusOK, page))
		})
	}
	for name, page := range decideStates() {
		mux.HandleFunc("GET /decide/"+name, func(w http.ResponseWriter, r *http.Request) {
			page := page
			page.Here = r.URL.Path
			report(approvals.WriteDecide(w, r, pages.Language(r, nil), page))
		})
	}
	for name, write := range others {
		mux.HandleFunc("GET /other/"+name, func(w http.ResponseWriter, r *http.Request) {
			report(write(w, r, pages.Language(r, nil)))
		})
	}
	for name, notice := range mails() {
		mux.HandleFunc("GET /mail/"+name, func(w http.ResponseWriter, r *http.Request) {
			notice := notice
			notice.To.Language = pages.Language(r, nil).Tag()
			mail, err := approvals.RenderMail(notice)
			report(err)
			if r.URL.Query().Has("text") {
				w.Header().Set("Content-Type", "text/plain; charset=utf-8")
				_, err = fmt.Fprintf(w, "Subject: %s\n\n%s", mail.Subject, mail.Text)
			} else {
				_, err = fmt.Fprint(w, withPictures(mail))
			}
			report(err)
		})
	}
	mux.HandleFunc("GET /{$}", index)
	// Where an approved page goes: the browser stays where it is.
	mux.HandleFunc("/stay", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	// The waiting page's script asks; nothing ever happens here.
	mux.HandleFunc("GET "+approvals.WaitPath+"/state", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, err := fmt.Fprint(w, `{"state":"waiting"}`)
		report(err)
	})
	mux.HandleFunc("POST "+approvals.DevicePath, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET "+approvals.WaitPath+"/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, err := fmt.Fprint(w, "event: state\ndata: {\"state\":\"waiting\"}\n\n")
		report(err)
		report(http.NewResponseController(w).Flush())
		<-r.Context().Done()
	})
	return mux
}

var list = template.Must(template.New("").Parse(`<!doctype html><title>Preview</title>
{{range $kind, $names := .}}<h2>{{$kind}}</h2><ul>{{range $names}}<li>{{.}}
 <a href="/{{$kind}}/{{.}}?cadenas_lang=en">en</a> <a href="/{{$kind}}/{{.}}?cadenas_lang=fr">fr</a></li>{{end}}</ul>{{end}}`))

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	report(list.Execute(w, map[string][]string{
		"waiting": names(waitingStates()), "decide": names(decideStates()), "mail": names(mails()), "other": names(others),
	}))
}

func report(err error) {
	if err != nil {
		log.Print(err)
	}
}
