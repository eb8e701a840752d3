package biopass

import (
	"bytes"
	"net/http"
	"testing"
)

func FuzzTypedEndpoint(f *testing.F) {
	f.Add([]byte(`{"challenge":"x","events":[{"type":"down","key":"a","code":"KeyA","at":1,"trusted":true}]}`))
	f.Add([]byte(`{`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newScene(t, always, Policy{}, Optional)
		s.begin(julie(WhyEnrol, "l1"))
		s.form("/consent", nil)
		line, _ := s.call("/words", nil)
		s.call("/begin", Capture{Challenge: line.Challenge})
		body = bytes.ReplaceAll(body, []byte(`"x"`), []byte(`"`+line.Challenge+`"`))
		w := s.do(http.MethodPost, "/typed", "application/json", bytes.NewReader(body))
		if w.Code != http.StatusUnprocessableEntity && w.Code != http.StatusOK {
			t.Errorf("%d for %q", w.Code, body)
		}
	})
}
