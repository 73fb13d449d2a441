package stats

import "testing"

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := Median(c.in); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

func TestInterval(t *testing.T) {
	low, high := Interval([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9})
	// By order statistics, the 2nd and the 8th of nine hold the median with 96 %,
	// the 3rd and the 7th with 82 %.
	if low < 2 || low > 3 || high < 7 || high > 8 {
		t.Errorf("the interval is %v to %v", low, high)
	}
	if low, high := Interval([]float64{4, 4, 4}); low != 4 || high != 4 {
		t.Errorf("of equal values, the interval is %v to %v", low, high)
	}
	if low, high := Interval([]float64{1, 2, 3}); low != 1 || high != 3 {
		t.Errorf("of three values, the interval is %v to %v", low, high)
	}
}

func TestPercentile(t *testing.T) {
	values := make([]float64, 100)
	for i := range values {
		values[len(values)-1-i] = float64(i)
	}
	if got := Percentile(values, 99); got != 99 {
		t.Errorf("99th percentile %v", got)
	}
	if got := Percentile(values, 50); got != 50 {
		t.Errorf("50th percentile %v", got)
	}
}
