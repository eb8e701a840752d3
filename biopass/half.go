package biopass

import "math"

// fromHalf reads an IEEE 754 half-precision number.
func fromHalf(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0:
		f := float32(frac) / (1 << 24)
		if sign != 0 {
			f = -f
		}
		return f
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// toHalf rounds to the nearest half-precision number, ties to even; what is
// too large becomes the largest, so that a stored print is always finite.
func toHalf(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000 //nolint:gosec // the upper half
	a := math.Abs(float64(f))
	switch {
	case !(a < 65504): // NaN and infinities too
		return sign | 0x7bff
	case a < 1.0/(1<<14):
		return sign | uint16(math.RoundToEven(a*(1<<24)))
	}
	rest := bits & 0x7fffffff
	rest += 0xfff + (rest>>13)&1
	return sign | uint16((rest>>13)-(112<<10)) //nolint:gosec // 15 bits: rest is under 65504
}
