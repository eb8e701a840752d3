package biopass

import (
	"slices"
	"strings"
	"testing"
)

// unfit are beginnings of words that nobody should be asked to type, in
// either language, and words that are read in two ways.
var unfit = []string{
	"kill", "murder", "rape", "sex", "porn", "nazi", "slave", "suicid", "terror", "bomb", "drunk", "whore", "bitch", "shit", "fuck", "penis",
	"naked", "corpse", "hitler", "racis", "death", "dead", "weapon", "pistol", "rifle", "blood", "abuse", "assault", "victim", "poison", "virus",
	"putain", "merde", "viol", "meurtre", "esclav", "bordel", "salope", "negre", "tuer", "mort", "cadavre", "carnage", "pistolet", "carabine",
	"sexuel", "fesse", "batard", "foutre", "putois", "connard", "tabac", "alcool", "alcohol", "tobacco", "prison", "police",
}

// fine are words that only begin like one of them.
var fine = []string{"violon", "violin", "mortier", "sextuple", "deadline", "policier", "violet"}

// twoWays are written the same and said in two ways.
var twoWays = map[string][]string{
	"en": {
		"record", "object", "present", "produce", "project", "minute", "content", "desert", "contract", "conflict", "console", "permit",
		"refuse", "reject", "subject", "separate", "perfect", "wound", "house", "excuse", "abstract", "address", "close", "attribute",
		"august", "combine", "conduct", "contest", "convict", "decrease", "increase", "export", "import", "impact", "insert", "insult",
		"invite", "moderate", "process", "progress", "protest", "rebel", "segment", "survey", "suspect", "transfer", "transport", "update",
		"upgrade", "upset", "estimate", "frequent", "exploit", "polish", "second", "number", "tower", "finance", "alternate", "compact",
		"extract", "discount",
	},
	"fr": {
		"couvent", "content", "president", "violent", "affluent", "excellent", "portions", "options", "reporter", "supporter", "resident",
		"parent", "convient", "negligent", "expedient", "notions", "relations", "editions", "inventions",
	},
}

func TestTheWordsAreFitToBeTyped(t *testing.T) {
	for _, language := range []string{"en", "fr"} {
		list := wordList(language)
		if len(list) < 1000 {
			t.Errorf("%s: %d words, want 1,000 at least", language, len(list))
		}
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("%s: not in order, or a word stands twice", language)
		}
		pairs := map[string]int{}
		for _, w := range list {
			if len(w) < 5 || len(w) > 8 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
				t.Errorf("%s: %q has not 5 to 8 plain letters", language, w)
			}
			if slices.Contains(twoWays[language], w) {
				t.Errorf("%s: %q is read in two ways", language, w)
			}
			for _, bad := range unfit {
				if strings.HasPrefix(w, bad) && !slices.Contains(fine, w) {
					t.Errorf("%s: %q offends", language, w)
				}
			}
			for i := 1; i < len(w); i++ {
				pairs[w[i-1:i+1]]++
			}
		}
		if len(pairs) < 280 {
			t.Errorf("%s: %d digraphs, want many", language, len(pairs))
		}
	}
}

func TestALineIsDrawnAfreshAndWellMixed(t *testing.T) {
	for _, language := range []string{"en", "fr", "de"} {
		seen, pairs := map[string]bool{}, map[string]bool{}
		for range 400 {
			line := drawLine(language, 4)
			if len(line) != 4 || !goodLine(line) {
				t.Fatalf("%s: %q", language, line)
			}
			text := strings.Join(line, " ")
			if seen[text] {
				t.Errorf("%q came twice", text)
			}
			seen[text] = true
			for i := 1; i < len(text); i++ {
				pairs[text[i-1:i+1]] = true
			}
		}
		if len(pairs) < 280 {
			t.Errorf("%s: 400 lines show %d digraphs only", language, len(pairs))
		}
	}
	if n := len(drawLine("fr", 6)); n != 6 {
		t.Errorf("%d words", n)
	}
}
