package main

import (
	"errors"
	"fmt"
	"time"
)

// afterSending is how long answers and deliveries may still arrive when the last location was sent.
const afterSending = time.Second

// send lets the clients that are senders send a location each in turn, at a rate, over their own connections. The
// locations are told apart by their latitude, as those of http are.
func (e *engine) send(c command) (any, error) {
	var senders []*client
	for _, one := range e.clients {
		if one.spec.Sender && one.state == live {
			senders = append(senders, one)
		}
	}
	if len(senders) == 0 {
		return nil, errors.New("no client is a sender")
	}
	e.positions, e.answers = newPositions(), map[string]int{}
	began := time.Now()
	until := began.Add(seconds(c.Seconds))
	sent := 0
	e.run(func() bool {
		now := time.Now()
		if now.After(until) {
			return now.After(until.Add(afterSending))
		}
		due := min(int(now.Sub(began).Seconds()*c.Rate)+1, latitudes)
		for ; sent < due; sent++ {
			one := senders[sent%len(senders)]
			if one.state != live {
				continue
			}
			e.positions.sent[sent].Store(monotonic())
			one.write(1, fmt.Appendf(nil, `{"type":"location","lat":%.6f,"lng":77.209}`, 10+float64(sent)/latitudes))
		}
		return false
	})
	report := map[string]any{
		"sent": sent, "answers": e.answers, "seconds": c.Seconds, "watchers": e.positions.latencies.summary(),
	}
	e.positions, e.answers = nil, nil
	return report, nil
}

func (e *engine) answered(code string) {
	if e.answers != nil {
		e.answers[code]++
	}
}
