package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// afterSending is how long answers and deliveries may still arrive when the last location was sent.
const afterSending = time.Second

// told is what became of each location that was sent: times in milliseconds since Began, -1 while nothing came. Seen is
// its first delivery to a watcher. Retry tells whether the answer says when to try again.
type told struct {
	run      int64     // an answer to a location of an earlier run may still come
	Began    int64     `json:"began"`
	Sent     []float64 `json:"sent"`
	Answered []float64 `json:"answered"`
	Codes    []string  `json:"codes"`
	Retry    []bool    `json:"retry"`
	Seen     []float64 `json:"seen"`
}

func (t *told) since(now int64) float64 { return float64(now-t.Began) / 1e6 }

func (t *told) sent(now int64) {
	t.Sent, t.Answered, t.Seen = append(t.Sent, t.since(now)), append(t.Answered, -1), append(t.Seen, -1)
	t.Codes, t.Retry = append(t.Codes, ""), append(t.Retry, false)
}

func (t *told) seen(n int) {
	if n < len(t.Seen) && t.Seen[n] < 0 {
		t.Seen[n] = t.since(monotonic())
	}
}

// id is the run and the number of a location.
func (t *told) id(n int) string { return fmt.Sprintf("%d.%d", t.run, n) }

// answered keeps the first answer of a location, and returns by which name an answer is counted.
func (t *told) answered(code string, text []byte) string {
	_, id, _ := bytes.Cut(text, idKey)
	_, number, _ := bytes.Cut(id, []byte("."))
	n := int(digits(number))
	if digits(id) != t.run || n >= len(t.Codes) {
		return "answer to an earlier run"
	}
	if t.Answered[n] >= 0 {
		return "second answer"
	}
	t.Answered[n], t.Codes[n] = t.since(monotonic()), code
	t.Retry[n] = bytes.Contains(text, retryKey)
	return code
}

// send lets the clients that are senders send a location each in turn, at a rate, over their own connections. The
// locations are told apart by their latitude, as those of http are. With Each, every location has an id, and the report
// says what became of it.
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
	if c.Each {
		e.runs++
		e.told = &told{run: e.runs, Began: monotonic()}
		e.positions.seen = e.told.seen
	}
	began := time.Now()
	until := began.Add(seconds(c.Seconds))
	sent := 0
	e.run(func() bool {
		now := time.Now()
		if now.After(until) {
			return now.After(until.Add(max(afterSending, seconds(c.Settle))))
		}
		due := min(int(now.Sub(began).Seconds()*c.Rate)+1, latitudes)
		for ; sent < due; sent++ {
			one := senders[sent%len(senders)]
			at := monotonic()
			e.positions.sent[sent].Store(at)
			id := ""
			if e.told != nil {
				e.told.sent(at)
				id = fmt.Sprintf(`,"id":%q`, e.told.id(sent))
			}
			if one.state == live {
				one.write(1, fmt.Appendf(nil, `{"type":"location","lat":%.6f,"lng":77.209%s}`, 10+float64(sent)/latitudes, id))
			}
		}
		return false
	})
	report := map[string]any{
		"sent": sent, "answers": e.answers, "seconds": c.Seconds, "watchers": e.positions.latencies.summary(),
		"each": e.told,
	}
	e.positions, e.answers, e.told = nil, nil, nil
	return report, nil
}

func (e *engine) answered(code string, text []byte) {
	if e.told != nil {
		code = e.told.answered(code, text)
	}
	if e.answers != nil {
		e.answers[code]++
	}
}
