package lang

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// Choose picks a language: what the person asked for by query or cookie, else
// the best match of the Accept-Language header, else the first allowed. allowed
// is the configuration's `languages`, in its order; empty means all we have.
func Choose(asked, acceptLanguage string, allowed []string) string {
	offered := make([]string, 0, len(allowed))
	for _, tag := range allowed {
		if b := base(tag); catalogues()[b] != nil && !slices.Contains(offered, b) {
			offered = append(offered, b)
		}
	}
	if len(offered) == 0 {
		offered = Tags()
	}
	if b := base(asked); slices.Contains(offered, b) {
		return b
	}
	// The header is the client's: x/text refuses what is too long or malformed,
	// and then the first one is as good as any.
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return offered[0]
	}
	_, index, confidence := matcher(offered).Match(wanted...)
	if confidence == language.No {
		return offered[0]
	}
	return offered[index]
}

// matchers are those of each order of languages: to make one costs more than
// all the rest of a choice.
var matchers sync.Map

func matcher(offered []string) language.Matcher {
	key := strings.Join(offered, " ")
	if m, ok := matchers.Load(key); ok {
		return m.(language.Matcher)
	}
	tags := make([]language.Tag, len(offered))
	for i, tag := range offered {
		tags[i] = language.MustParse(tag)
	}
	m, _ := matchers.LoadOrStore(key, language.NewMatcher(tags))
	return m.(language.Matcher)
}
