package fingerprint

import "strings"

// maxCandidates bounds how many cookies of our name are opened on one
// request, so that a pile of forged ones costs little. Those of a length that
// cannot be ours are not counted.
const maxCandidates = 64

// eachCookie calls f with the value of every cookie called name, in the order
// sent, until f returns false. It reads the header lines where they lie:
// parsing all cookies of a request costs more than all the rest of a known
// visit. HTTP/2 may bring several lines.
func eachCookie(lines []string, name string, f func(value string) bool) {
	for _, line := range lines {
		for line != "" {
			var pair string
			if end := strings.IndexByte(line, ';'); end >= 0 {
				pair, line = line[:end], line[end+1:]
			} else {
				pair, line = line, ""
			}
			for pair != "" && (pair[0] == ' ' || pair[0] == '\t') {
				pair = pair[1:]
			}
			if len(pair) <= len(name) || pair[len(name)] != '=' || pair[:len(name)] != name {
				continue
			}
			if !f(strings.TrimRight(pair[len(name)+1:], " \t")) {
				return
			}
		}
	}
}
