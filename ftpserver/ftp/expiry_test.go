package ftp

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestExpiry(t *testing.T) {
	type step struct {
		after time.Duration // since the start
		set   time.Duration // since the start; 0: never
	}
	for name, c := range map[string]struct {
		steps []step
		fires time.Duration // since the start; 0: never
	}{
		"soon":              {[]step{{0, time.Second}}, time.Second},
		"late":              {[]step{{0, 400 * 24 * time.Hour}}, 400 * 24 * time.Hour},
		"passed":            {[]step{{time.Minute, time.Second}}, time.Minute},
		"never":             {[]step{{0, 0}}, 0},
		"put off":           {[]step{{0, time.Hour}, {time.Minute, 2 * time.Hour}}, 2 * time.Hour},
		"brought forward":   {[]step{{0, 2 * time.Hour}, {time.Minute, time.Hour}}, time.Hour},
		"taken back":        {[]step{{0, time.Hour}, {time.Minute, 0}}, 0},
		"set again":         {[]step{{0, time.Hour}, {time.Minute, time.Hour}}, time.Hour},
		"taken back, again": {[]step{{0, time.Hour}, {time.Minute, 0}, {2 * time.Minute, 3 * time.Hour}}, 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var e expiry
				var fired []time.Duration
				for _, s := range c.steps {
					time.Sleep(time.Until(start.Add(s.after))) // of the bubble's clock: it takes no time
					at := time.Time{}
					if s.set != 0 {
						at = start.Add(s.set)
					}
					e.set(at, func() { fired = append(fired, time.Since(start)) })
				}
				time.Sleep(500 * 24 * time.Hour) // of the bubble's clock: it takes no time
				synctest.Wait()
				if c.fires == 0 && len(fired) != 0 || c.fires != 0 && (len(fired) != 1 || fired[0] != c.fires) {
					t.Errorf("fired %v, want %v", fired, c.fires)
				}
			})
		})
	}
}
