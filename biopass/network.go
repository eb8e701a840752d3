package biopass

import "math"

// network is one small convolution over the keys of a sequence. For each of
// D traits each key gives a value and how sure it is of it; train/net.py is
// the other half of this file.
type network struct {
	hidden, traits, keydim int
	dilations              []int

	emb                   []float32 // class -> keydim
	inW, inB              []float32 // hidden x 3 x (keydim+channels)
	globW                 []float32 // hidden x globals
	gate                  []float32 // previous class, class -> hidden
	convW, convB          [][]float32
	normW, normB          [][]float32
	outNormW, outNormB    []float32
	valueW, valueB        []float32
	precW, precB          []float32
	cap                   []float32
	live0W, live0B        []float32
	live2W, live2B        []float32
	liveHidden, inputSize int
}

// traits are what one network saw in one sequence: evidence b with precision
// a, both before the prior of precision 1, so that traits of several
// sequences add up.
type traits struct {
	a, b []float32
}

// scratch is the memory of one forward pass, kept between passes.
type scratch struct {
	in, cols, h, y, va, pr []float32
}

func grown(s *[]float32, n int) []float32 {
	if cap(*s) < n {
		*s = make([]float32, n)
	}
	return (*s)[:n]
}

// tabulate works out once what each pair of keys lets through: one plus the
// hyperbolic tangent of a linear map of both embeddings.
func (w *network) tabulate(gateW, gateB []float32) {
	E, H := w.keydim, w.hidden
	w.gate = make([]float32, keyClasses*keyClasses*H)
	pair := make([]float32, 2*E)
	for id := range keyClasses * keyClasses {
		copy(pair, w.emb[id/keyClasses*E:][:E])
		copy(pair[E:], w.emb[id%keyClasses*E:][:E])
		row := w.gate[id*H:][:H]
		dense(row, pair, gateW, gateB, 1, 2*E, H)
		for k, v := range row {
			row[k] = 1 + float32(math.Tanh(float64(v)))
		}
	}
}

// run gives the traits of a sequence and its liveness, the log odds that a
// hand typed it rather than a program.
func (w *network) run(f *features, s *scratch) (traits, float64) {
	n, H, D, C := f.n, w.hidden, w.traits, w.inputSize
	in := grown(&s.in, n*C)
	for i, c := range f.class {
		copy(in[i*C:], w.emb[c*w.keydim:(c+1)*w.keydim])
		copy(in[i*C+w.keydim:(i+1)*C], f.x[i*channels:(i+1)*channels])
	}
	h := grown(&s.h, n*H)
	cols := grown(&s.cols, n*3*max(C, H))
	window(cols, in, n, C, 1)
	dense(h, cols, w.inW, w.inB, n, 3*C, H)
	bias := make([]float32, H)
	dense(bias, f.g[:], w.globW, nil, 1, globals, H)
	prev := 0
	for i, c := range f.class {
		id := (prev*keyClasses + c) * H
		gate, row := w.gate[id:id+H], h[i*H:(i+1)*H]
		for k, v := range row {
			row[k] = max(0, v+bias[k]) * gate[k]
		}
		prev = c
	}
	y := grown(&s.y, n*H)
	for l, d := range w.dilations {
		normalise(y, h, w.normW[l], w.normB[l], H)
		window(cols, y, n, H, d)
		dense(y, cols, w.convW[l], w.convB[l], n, 3*H, H)
		for i, v := range y {
			h[i] += max(0, v)
		}
	}
	normalise(y, h, w.outNormW, w.outNormB, H)
	va, pr := grown(&s.va, n*D), grown(&s.pr, n*D)
	dense(va, y, w.valueW, w.valueB, n, H, D)
	dense(pr, y, w.precW, w.precB, n, H, D)
	return w.pool(va, pr, n), w.liveness(y, n)
}

// pool adds the evidence of the keys. Keys of one sequence share that
// minute's mood, so a sequence's precision is capped, trait by trait.
func (w *network) pool(value, prec []float32, n int) traits {
	D := w.traits
	t := traits{make([]float32, D), make([]float32, D)}
	for d := range D {
		var a, b float64
		for i := range n {
			p := softplus(float64(prec[i*D+d]))
			a += p
			b += p * float64(value[i*D+d])
		}
		shrink := 1 / (1 + a*math.Exp(-float64(w.cap[d])))
		t.a[d], t.b[d] = float32(a*shrink), float32(b*shrink)
	}
	return t
}

func (w *network) liveness(y []float32, n int) float64 {
	H := w.hidden
	stat := make([]float32, 2*H)
	for k := range H {
		var m, v float64
		for i := range n {
			m += float64(y[i*H+k])
		}
		m /= float64(n)
		for i := range n {
			d := float64(y[i*H+k]) - m
			v += d * d
		}
		stat[k], stat[H+k] = float32(m), float32(math.Sqrt(v/float64(n)+1e-5))
	}
	mid := make([]float32, w.liveHidden)
	dense(mid, stat, w.live0W, w.live0B, 1, 2*H, w.liveHidden)
	for i := range mid {
		mid[i] = max(0, mid[i])
	}
	var out [1]float32
	dense(out[:], mid, w.live2W, w.live2B, 1, w.liveHidden, 1)
	return float64(out[0])
}

func softplus(x float64) float64 {
	if x > 20 {
		return x
	}
	return math.Log1p(math.Exp(x))
}

// window lays, for each key, the vectors of the keys d before it, of itself
// and d after it side by side; zeros beyond the ends.
func window(dst, src []float32, n, c, d int) {
	for i := range n {
		row := dst[i*3*c : (i+1)*3*c]
		for k, j := range [3]int{i - d, i, i + d} {
			if part := row[k*c : (k+1)*c]; j < 0 || j >= n {
				clear(part)
			} else {
				copy(part, src[j*c:(j+1)*c])
			}
		}
	}
}

// normalise is layer normalisation of each row.
func normalise(dst, src, w, b []float32, c int) {
	for o := 0; o < len(src); o += c {
		var m, v float64
		row := src[o : o+c]
		for _, x := range row {
			m += float64(x)
		}
		m /= float64(c)
		for _, x := range row {
			v += (float64(x) - m) * (float64(x) - m)
		}
		inv := 1 / math.Sqrt(v/float64(c)+1e-5)
		for k, x := range row {
			dst[o+k] = float32((float64(x)-m)*inv)*w[k] + b[k]
		}
	}
}

// dense is dst = src * transpose(w) + b for rows of src; w is out x in. Two
// rows by four outputs at a time keep the sums in registers.
func dense(dst, src, w, b []float32, rows, in, out int) {
	for t := 0; t < rows; t += 2 {
		x0 := src[t*in : (t+1)*in]
		x1 := x0
		if t+1 < rows {
			x1 = src[(t+1)*in : (t+2)*in]
		}
		x1 = x1[:len(x0)]
		o := 0
		for ; o+4 <= out; o += 4 {
			w0 := w[o*in : (o+1)*in][:len(x0)]
			w1 := w[(o+1)*in : (o+2)*in][:len(x0)]
			w2 := w[(o+2)*in : (o+3)*in][:len(x0)]
			w3 := w[(o+3)*in : (o+4)*in][:len(x0)]
			var a0, a1, a2, a3, b0, b1, b2, b3 float32
			for k, u := range x0 {
				v := x1[k]
				p, q, r, s := w0[k], w1[k], w2[k], w3[k]
				a0 += u * p
				b0 += v * p
				a1 += u * q
				b1 += v * q
				a2 += u * r
				b2 += v * r
				a3 += u * s
				b3 += v * s
			}
			d := dst[t*out+o:]
			d[0], d[1], d[2], d[3] = a0, a1, a2, a3 //nolint:gosec // o+4 <= out
			if t+1 < rows {
				d = dst[(t+1)*out+o:]
				d[0], d[1], d[2], d[3] = b0, b1, b2, b3 //nolint:gosec // likewise
			}
		}
		for ; o < out; o++ {
			var a, c float32
			for k, p := range w[o*in : (o+1)*in] {
				a += x0[k] * p
				c += x1[k] * p
			}
			dst[t*out+o] = a
			if t+1 < rows {
				dst[(t+1)*out+o] = c
			}
		}
	}
	if b == nil {
		return
	}
	for t := range rows {
		d := dst[t*out : (t+1)*out]
		for k := range d {
			d[k] += b[k]
		}
	}
}
