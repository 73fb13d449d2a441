package cell

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/hack/bench/client"
)

// burstWorth is how much of a rate may come at once, in time.
const burstWorth = 200 * time.Millisecond

// RateScenario is a transfer that the server holds to a rate.
type RateScenario struct {
	Name, Title string

	upload bool
	tls    *client.TLS
	rate   int64 // bytes per second
}

const ratePrefix = "rate-"

// IsRate tells whether a scenario is one of Rates.
func IsRate(scenario string) bool { return strings.HasPrefix(scenario, ratePrefix) }

// Rates are a slow and a fast one, in every way that data can take.
func Rates() []RateScenario {
	var all []RateScenario
	for _, mib := range []int64{1, 50} {
		for _, verb := range []string{"RETR", "STOR"} {
			for _, p := range []struct {
				name, title string
				tls         *client.TLS
			}{{"plain", "plain", nil}, {"tls13", "TLS 1.3", tls13}} {
				all = append(all, RateScenario{
					Name:   fmt.Sprintf("%s%s-%s-%dm", ratePrefix, strings.ToLower(verb), p.name, mib),
					Title:  fmt.Sprintf("%s %s held to %d MiB/s", p.title, verb, mib),
					upload: verb == "STOR", tls: p.tls, rate: mib << 20,
				})
			}
		}
	}
	return all
}

// course is how a transfer went, held against a rate.
type course struct {
	rate  float64 // bytes per second
	begun time.Time
	total int64
	// least is the smallest that came, less what the rate had given until then; burst
	// the most by which any stretch of time has had more than the rate gives for it.
	least, burst float64
}

// watch counts what has come since the last call as if it had come just now.
func (c *course) watch(now time.Time, total int64) {
	given := c.rate * now.Sub(c.begun).Seconds()
	c.least = min(c.least, float64(c.total)-given)
	c.burst = max(c.burst, float64(total)-given-c.least)
	c.total = total
}

// limited moves one file that takes the time of Size.Rate.
func (c *cell) limited(r RateScenario) (map[string]Sample, error) {
	size := int64(float64(r.rate) * c.Size.Rate.Seconds())
	if !r.upload {
		if err := c.show(size); err != nil {
			return nil, err
		}
	}
	s, err := c.open()
	if err != nil {
		return nil, err
	}
	m, err := c.measure()
	if err != nil {
		return nil, err
	}
	way := &course{rate: float64(r.rate), begun: time.Now()}
	s.Watch = way.watch
	if err := c.moveOnce(s, r, size); err != nil {
		return nil, err
	}
	sample, err := m.stop(float64(size) / gib)
	if err != nil {
		return nil, err
	}
	reached := sample.Value * gib / float64(r.rate)
	deviation, burst := sample, sample
	deviation.Value, deviation.More = math.Abs(reached-1)*100, map[string]float64{"ofRate": reached}
	burst.Value = way.burst / (way.rate * burstWorth.Seconds())
	return map[string]Sample{r.Name + "-deviation": deviation, r.Name + "-burst": burst}, s.Quit()
}

func (c *cell) moveOnce(s *client.Session, r RateScenario, size int64) error {
	if r.upload {
		if err := s.Store("file", c.payload, size); err != nil {
			return err
		}
		return c.same("file", size)
	}
	n, err := s.Retrieve("file")
	if err == nil && n != size {
		err = fmt.Errorf("RETR: %d bytes instead of %d", n, size)
	}
	return err
}
