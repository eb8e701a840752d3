package biopass

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"sync"
)

//go:embed weights.bin
var shipped []byte

// magic opens a model file. Then come the length of the header (4 bytes,
// little endian), the header (JSON), and the tensors it lists, one after the
// other, little endian.
const magic = "CBPM1\n"

// The bounds of a model file, so that one from elsewhere cannot exhaust the
// process.
const (
	maxHeader  = 1 << 20
	maxTensors = 16 << 20
	maxLayer   = 512
)

// Model is what was learnt: how everybody types, the networks that find what
// is a typist's own, and the operating points measured with them. It is safe
// for concurrent use.
type Model struct {
	// Name, Licence and Measured say where the weights come from, under
	// which condition, and on whom the operating points were measured.
	Name, Licence, Measured string
	// Points are the operating points by name.
	Points map[string]Point
	// ByKeys says what fewer keys cost, fewest first.
	ByKeys []KeyCount

	kind     uint32 // of prints: those of another model are not comparable
	pop      population
	networks []*network
	fusion   fusion
	scratch  sync.Pool
}

// KeyCount is the accuracy of sequences cut to a number of keys, measured on
// the people the operating points were measured on.
type KeyCount struct {
	Keys int `json:"keys"`
	// EER in per cent, one sequence against five prints.
	EER float64 `json:"eer"`
	// SD is the standard deviation, in nats, of one genuine typist's scores
	// around their own mean.
	SD float64 `json:"sd"`
}

// header is the JSON at the start of a model file.
type header struct {
	Name     string           `json:"name"`
	Licence  string           `json:"licence"`
	Measured string           `json:"measured"`
	Nets     []netShape       `json:"nets"`
	Fusion   fusion           `json:"fusion"`
	Points   map[string]Point `json:"points"`
	ByKeys   []KeyCount       `json:"by_keys"`
	Tensors  []tensorShape    `json:"tensors"`
}

type netShape struct {
	Hidden    int   `json:"hidden"`
	Traits    int   `json:"traits"`
	KeyDim    int   `json:"keydim"`
	Live      int   `json:"live"`
	Dilations []int `json:"dilations"`
}

type tensorShape struct {
	Name string `json:"name"`
	Type string `json:"type"` // f16 or f32
	Size int    `json:"size"` // in numbers
}

// Default is the model shipped with the package. Its weights are free for
// non-commercial use with attribution, see NOTICE; LoadModel takes others.
var Default = sync.OnceValue(func() *Model {
	m, err := LoadModel(bytes.NewReader(shipped))
	if err != nil {
		panic("biopass: the embedded model is damaged: " + err.Error())
	}
	return m
})

// LoadModel reads a model file written by train/train.py. Every size in it is
// checked; a file that is cut, too large or holds anything but finite numbers
// is an error.
func LoadModel(r io.Reader) (*Model, error) {
	var head [len(magic) + 4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("reading model: %w", err)
	}
	size := binary.LittleEndian.Uint32(head[len(magic):])
	if string(head[:len(magic)]) != magic || size > maxHeader {
		return nil, errors.New("reading model: not a biopass model")
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("reading model header: %w", err)
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, fmt.Errorf("reading model header: %w", err)
	}
	// Thresholds may change without making stored prints void.
	sum := crc32.NewIEEE()
	_, _ = fmt.Fprint(sum, h.Nets)
	tensors, err := readTensors(io.TeeReader(r, sum), h.Tensors)
	if err != nil {
		return nil, err
	}
	m, err := h.build(tensors)
	if err != nil {
		return nil, fmt.Errorf("reading model: %w", err)
	}
	m.kind = sum.Sum32()
	return m, nil
}

func readTensors(r io.Reader, shapes []tensorShape) (map[string][]float32, error) {
	tensors := map[string][]float32{}
	total := 0
	for _, s := range shapes {
		if total += s.Size; s.Size < 0 || s.Size > maxTensors || total > maxTensors {
			return nil, errors.New("reading model: too large")
		}
		width := 4
		if s.Type == "f16" {
			width = 2
		}
		raw := make([]byte, s.Size*width)
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, fmt.Errorf("reading model tensor %s: %w", s.Name, err)
		}
		v := make([]float32, s.Size)
		for i := range v {
			if width == 2 {
				v[i] = fromHalf(binary.LittleEndian.Uint16(raw[2*i:]))
			} else {
				v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
			}
			if !(math.Abs(float64(v[i])) < 1e6) {
				return nil, fmt.Errorf("reading model tensor %s: not a finite number", s.Name)
			}
		}
		tensors[s.Name] = v
	}
	return tensors, nil
}

// build checks all shapes, so that scoring needs no check.
func (h *header) build(tensors map[string][]float32) (*Model, error) {
	m := &Model{Name: h.Name, Licence: h.Licence, Measured: h.Measured, Points: h.Points, ByKeys: h.ByKeys, fusion: h.Fusion}
	m.scratch.New = func() any { return new(scratch) }
	var err error
	take := func(name string, size int) []float32 {
		v := tensors[name]
		if len(v) != size && err == nil {
			err = fmt.Errorf("tensor %s has %d numbers, not %d", name, len(v), size)
		}
		return v
	}
	for j := range 4 {
		m.pop.mean[j] = take(fmt.Sprintf("mean%d", j), keyClasses*keyClasses)
		m.pop.std[j] = take(fmt.Sprintf("std%d", j), keyClasses*keyClasses)
		for _, s := range m.pop.std[j] {
			if s <= 0 && err == nil {
				err = errors.New("a spread is not positive")
			}
		}
	}
	if len(h.Nets) == 0 || len(h.Nets) > 16 || len(h.Fusion.Net) != len(h.Nets) {
		return nil, errors.New("no networks, or as many weights as networks")
	}
	for i, s := range h.Nets {
		if !within(s.Hidden) || !within(s.Traits) || !within(s.KeyDim) || !within(s.Live) || len(s.Dilations) > 8 {
			return nil, fmt.Errorf("network %d has an impossible shape", i)
		}
		for _, d := range s.Dilations {
			if !within(d) {
				return nil, fmt.Errorf("network %d has an impossible shape", i)
			}
		}
		p := fmt.Sprintf("net%d.", i)
		m.networks = append(m.networks, s.network(func(name string, size int) []float32 { return take(p+name, size) }))
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func within(n int) bool { return n > 0 && n <= maxLayer }

func (s netShape) network(take func(string, int) []float32) *network {
	H, D, E, in := s.Hidden, s.Traits, s.KeyDim, s.KeyDim+channels
	w := &network{
		hidden: H, traits: D, keydim: E, dilations: s.Dilations, inputSize: in, liveHidden: s.Live,
		emb: take("emb", keyClasses*E), inW: take("in.w", H*3*in), inB: take("in.b", H),
		globW:    take("glob.w", H*globals),
		outNormW: take("onorm.w", H), outNormB: take("onorm.b", H),
		valueW: take("value.w", D*H), valueB: take("value.b", D), precW: take("prec.w", D*H), precB: take("prec.b", D),
		cap:    take("cap", D),
		live0W: take("live0.w", s.Live*2*H), live0B: take("live0.b", s.Live), live2W: take("live2.w", s.Live), live2B: take("live2.b", 1),
	}
	for l := range s.Dilations {
		w.convW = append(w.convW, take(fmt.Sprintf("conv%d.w", l), H*3*H))
		w.convB = append(w.convB, take(fmt.Sprintf("conv%d.b", l), H))
		w.normW = append(w.normW, take(fmt.Sprintf("norm%d.w", l), H))
		w.normB = append(w.normB, take(fmt.Sprintf("norm%d.b", l), H))
	}
	gateW, gateB := take("gate.w", H*2*E), take("gate.b", H)
	if len(w.emb) == keyClasses*E && len(gateW) == H*2*E && len(gateB) == H {
		w.tabulate(gateW, gateB)
	}
	return w
}
