package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const latitudes = 1_000_000 // positions are told apart by their latitude: 10 + n / latitudes

type requestSpec struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// positions knows when each was posted, by its latitude, and how long it took to every watcher.
type positions struct {
	sent      []atomic.Int64
	latencies *samples
	seen      func(n int) // called with each location that a watcher gets, unless it is nil
}

func newPositions() *positions {
	return &positions{sent: make([]atomic.Int64, latitudes), latencies: newSamples(1 << 20)}
}

// in counts every location of a message: servers may put several into one frame (Centrifuge does).
func (p *positions) in(text []byte) {
	for {
		at := bytes.Index(text, latKey)
		if at < 0 {
			return
		}
		text = text[at+len(latKey):]
		p.arrived(text)
	}
}

func (p *positions) arrived(latitude []byte) {
	end := bytes.IndexByte(latitude, ',')
	value, err := strconv.ParseFloat(string(latitude[:max(end, 0)]), 64)
	if err != nil {
		return
	}
	n := int((value-10)*latitudes + 0.5)
	if n < 0 || n >= len(p.sent) {
		return
	}
	if sent := p.sent[n].Load(); sent > 0 {
		p.latencies.add(time.Duration(monotonic() - sent))
		if p.seen != nil {
			p.seen(n)
		}
	}
}

// http posts a position with each request in turn: at a rate, or as fast as `concurrency` connections can. The event
// loop goes on meanwhile, so that watchers are served and measured.
func (e *engine) http(c command) (any, error) {
	e.positions = newPositions()
	transport := &http.Transport{MaxIdleConnsPerHost: c.Concurrency, MaxConnsPerHost: c.Concurrency}
	poster := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	defer transport.CloseIdleConnections()
	answered, times := map[int]int{}, newSamples(1<<20)
	var lock sync.Mutex
	var turn atomic.Int64
	began := time.Now()
	until := began.Add(seconds(c.Seconds))
	worker := func() {
		for {
			n := turn.Add(1) - 1
			if c.Rate > 0 {
				time.Sleep(time.Until(began.Add(seconds(float64(n) / c.Rate))))
			}
			if time.Now().After(until) || n >= latitudes {
				return
			}
			sent := monotonic()
			e.positions.sent[n].Store(sent)
			code := post(poster, c.Requests[n%int64(len(c.Requests))], n)
			times.add(time.Duration(monotonic() - sent))
			lock.Lock()
			answered[code]++
			lock.Unlock()
		}
	}
	var workers sync.WaitGroup
	for range c.Concurrency {
		workers.Go(worker)
	}
	finished := make(chan struct{})
	go func() { workers.Wait(); close(finished) }()
	var ended time.Time
	e.run(func() bool {
		if ended.IsZero() {
			select {
			case <-finished:
				ended = time.Now()
			default:
			}
		}
		return !ended.IsZero() && time.Since(ended) > 500*time.Millisecond
	})
	codes := map[string]int{}
	for code, n := range answered {
		codes[fmt.Sprint(code)] = n
	}
	report := map[string]any{
		"codes": codes, "seconds": ended.Sub(began).Seconds(), "times": times.summary(), "watchers": e.positions.latencies.summary(),
	}
	e.positions = nil
	return report, nil
}

// post returns the status, or 0 when there was none.
func post(poster *http.Client, spec requestSpec, n int64) int {
	body := fmt.Sprintf(`{"lat":%.6f,"lng":77.209}`, 10+float64(n)/latitudes)
	request, err := http.NewRequest(http.MethodPost, spec.URL, strings.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+spec.Token)
	request.Header.Set("Content-Type", "application/json")
	response, err := poster.Do(request)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}
