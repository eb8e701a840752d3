package biopass

import (
	"crypto/rand"
	_ "embed"
	"math/big"
	"strings"
	"sync"
)

//go:embed words_en.txt
var englishWords string

//go:embed words_fr.txt
var frenchWords string

var wordLists = sync.OnceValue(func() map[string][]string {
	return map[string][]string{"en": readWords(englishWords), "fr": readWords(frenchWords)}
})

func readWords(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}

// wordList is the list of a language, the English one where there is none.
func wordList(language string) []string {
	if list := wordLists()[language]; list != nil {
		return list
	}
	return wordLists()["en"]
}

// The bounds of a line, in characters a word, spaces counted: the model was
// measured on lines of 20 to 32 characters for four words.
const (
	lineLeast = 5.5
	lineMost  = 8.0
	// lineVaried is the least share of digraphs in a line that are different
	// ones: more of them tell more of a typist.
	lineVaried = 0.85
)

// drawLine draws n different words of a language with crypto/rand. Of what
// is drawn, lines that are too short, too long or repeat themselves are put
// back; a few hundred million remain.
func drawLine(language string, n int) []string {
	list := wordList(language)
	var line []string
	for range 200 {
		line = line[:0]
		for len(line) < n {
			line = append(line, list[below(len(list))])
		}
		if goodLine(line) {
			break
		}
	}
	return line
}

func goodLine(line []string) bool {
	pairs, seen := 0, map[string]bool{}
	for i, w := range line {
		for _, other := range line[:i] {
			if other[:3] == w[:3] {
				return false
			}
		}
		for j := 1; j < len(w); j++ {
			pairs++
			seen[w[j-1:j+1]] = true
		}
	}
	length, n := float64(len(strings.Join(line, " "))), float64(len(line))
	return length >= lineLeast*n && length <= lineMost*n && float64(len(seen)) >= lineVaried*float64(pairs)
}

func below(n int) int {
	k, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic("biopass: no randomness: " + err.Error()) // cannot happen since Go 1.24
	}
	return int(k.Int64())
}
