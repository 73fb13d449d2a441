// Package stats sums up what rounds of a benchmark gave.
package stats

import (
	"math/rand/v2"
	"slices"
)

// Median of values; 0 of none.
func Median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	switch n := len(v); {
	case n == 0:
		return 0
	case n%2 == 1:
		return v[n/2]
	default:
		return (v[n/2-1] + v[n/2]) / 2
	}
}

// Interval is the 90 % interval of the median of values, by the bootstrap: the
// median of as many values drawn with replacement, again and again, and of these
// medians the 5th and the 95th percentile. The draw is the same every time. Of
// fewer than six values it is all but the range from least to greatest.
func Interval(values []float64) (low, high float64) {
	if len(values) == 0 {
		return 0, 0
	}
	const draws = 10000
	random := rand.New(rand.NewPCG(1, 2))
	medians := make([]float64, draws)
	drawn := make([]float64, len(values))
	for i := range medians {
		for j := range drawn {
			drawn[j] = values[random.IntN(len(values))]
		}
		medians[i] = Median(drawn)
	}
	slices.Sort(medians)
	return medians[draws*5/100], medians[draws*95/100-1]
}

// Percentile of values, p from 0 to 100; 0 of none.
func Percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return v[min(len(v)-1, int(float64(len(v))*p/100))]
}
