// Command evaluate measures the shipped scorer on recorded typing.
//
//	go run ./biopass/evaluate [--json] [--users d1308-d1607] [--model FILE] FILE
//
// FILE holds one JSON object a line, gzipped or not: `u` the person, `w` the
// window (only 0 is used; absent is 0), `k` the events [keyCode, press in ms,
// release in ms], a person's lines in the order they were typed. The first
// five lines of a person enrol, the others probe; the first three probes of
// everybody else are the impostors. Everybody in the file takes part.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cadenas-gateway/cadenas/biopass"
)

func main() {
	asJSON := flag.Bool("json", false, "print one JSON object")
	users := flag.String("users", "", "only people from-to, by name, both included: d1308-d1607")
	model := flag.String("model", "", "a model file other than the shipped one")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: evaluate [--json] [--users FROM-TO] [--model FILE] FILE")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *users, *model, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "evaluate:", err)
		os.Exit(1)
	}
}

func run(file, users, model string, asJSON bool) error {
	m := biopass.Default()
	if model != "" {
		f, err := os.Open(model) //nolint:gosec // a file the caller names
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		if m, err = biopass.LoadModel(f); err != nil {
			return err
		}
	}
	people, err := read(file, users)
	if err != nil {
		return err
	}
	report := evaluate(m, people)
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return report.print(os.Stdout)
}

// person is one person's sequences in order.
type person struct {
	name      string
	sequences [][]biopass.Event
}

// read gives the people who have a probe left after enrolment.
func read(file, users string) ([]person, error) {
	f, err := os.Open(file) //nolint:gosec // a file the caller names
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	var in io.Reader = bufio.NewReaderSize(f, 1<<16)
	if head, err := in.(*bufio.Reader).Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		if in, err = gzip.NewReader(in); err != nil {
			return nil, err
		}
	}
	from, to, bounded := strings.Cut(users, "-")
	if users != "" && !bounded {
		return nil, errors.New("--users wants FROM-TO")
	}
	index, people := map[string]int{}, []person{}
	for dec := json.NewDecoder(in); ; {
		var row struct {
			U string       `json:"u"`
			W int          `json:"w"`
			K [][3]float64 `json:"k"`
		}
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		if row.W != 0 || bounded && (row.U < from || row.U > to) {
			continue
		}
		i, known := index[row.U]
		if !known {
			i = len(people)
			index[row.U] = i
			people = append(people, person{name: row.U})
		}
		events := make([]biopass.Event, len(row.K))
		for j, k := range row.K {
			events[j] = biopass.Event{Code: int(k[0]), Press: k[1], Release: k[2]}
		}
		people[i].sequences = append(people[i].sequences, events)
	}
	out := people[:0]
	for _, p := range people {
		if len(p.sequences) > biopass.EnrolPrints {
			out = append(out, p)
		}
	}
	if len(out) < 2 {
		return nil, errors.New("fewer than two people with six sequences")
	}
	return out, nil
}
