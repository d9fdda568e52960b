package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

const noProgress = 15 * time.Second // a full window that nothing leaves for so long is given up as lost

// publisher sends events, at a fixed rate or as fast as a window of undelivered events allows, until it is stopped.
// It runs beside the event loop.
type publisher struct {
	groups    []*group
	members   []int64
	encoding  string
	sink      sink
	rate      float64
	window    int64
	traced    float64      // share of the events, evenly spread
	published atomic.Int64 // deliveries that are to be expected
	delivered atomic.Int64
	stop      atomic.Bool
	done      chan error
	events    int64
	began     time.Time
	cpu       float64
	latencies *samples
	last      atomic.Int64 // CLOCK_MONOTONIC of the last delivery
	first     int64
}

// sink takes events: Redis, or a program that publishes through a library of its own.
type sink interface {
	send(v event, encoding string) error
	close() error
}

func (p *publisher) arrived(sent int64, timed bool) {
	now := monotonic()
	p.last.Store(now)
	if timed && p.window == 0 {
		p.latencies.add(time.Duration(now - sent))
	}
}

func (e *engine) startPublishing(c command) (any, error) {
	if e.publisher != nil {
		return nil, errors.New("already publishing")
	}
	p := &publisher{
		encoding: c.Encoding, rate: c.Rate, window: c.Window, traced: c.Traced, done: make(chan error, 1), latencies: newSamples(1 << 20),
	}
	names := c.Groups
	if len(names) == 0 {
		for name := range e.groups {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	for _, name := range names {
		g := e.groups[name]
		if g == nil {
			return nil, fmt.Errorf("nobody is in group %q", name)
		}
		p.groups = append(p.groups, g)
	}
	there := e.liveByGroup()
	for _, g := range p.groups {
		p.members = append(p.members, there[g])
	}
	var err error
	if len(c.Helper) > 0 {
		p.sink, err = newHelper(c.Helper)
	} else {
		p.sink, err = newRedisSink(c.Redis)
	}
	if err != nil {
		return nil, err
	}
	e.duplicates, e.missing = 0, 0
	p.cpu, p.began, p.first = cpuOfProcess(), time.Now(), monotonic()
	p.last.Store(p.first)
	e.publisher = p
	go func() { p.done <- p.run() }()
	return map[string]any{}, nil
}

func (p *publisher) run() error {
	began := time.Now()
	for turn := 0; !p.stop.Load(); turn++ {
		if p.window > 0 {
			p.waitForWindow()
		} else {
			time.Sleep(time.Until(began.Add(seconds(float64(turn) / p.rate))))
		}
		if p.stop.Load() {
			break
		}
		index := turn % len(p.groups)
		g := p.groups[index]
		seq := atomic.AddInt64(&g.next, 1) - 1
		p.events++
		p.published.Add(p.members[index])
		next := event{g.name, seq, monotonic(), p.isOneOf(p.traced)}
		if err := p.sink.send(next, p.encoding); err != nil {
			return err
		}
	}
	return nil
}

// isOneOf says whether the event that was counted last is one of such a share of them, evenly spread.
func (p *publisher) isOneOf(share float64) bool {
	return int64(float64(p.events)*share) > int64(float64(p.events-1)*share)
}

func (p *publisher) waitForWindow() {
	seen, since := p.delivered.Load(), time.Now()
	for p.published.Load()-p.delivered.Load() >= p.window && !p.stop.Load() {
		time.Sleep(50 * time.Microsecond)
		if now := p.delivered.Load(); now != seen {
			seen, since = now, time.Now()
		} else if time.Since(since) > noProgress {
			return
		}
	}
}

// finishPublishing stops, waits up to settle seconds for what is on its way, and reports.
func (e *engine) finishPublishing(settle float64) (any, error) {
	p := e.publisher
	if p == nil {
		return nil, errors.New("not publishing")
	}
	p.stop.Store(true)
	stopped := time.Now()
	var failed error
	finished := false
	e.run(func() bool {
		if !finished {
			select {
			case failed = <-p.done:
				finished = true
			default:
			}
		}
		waited := time.Since(stopped)
		complete := finished && p.delivered.Load() >= p.published.Load() && e.complete()
		return complete || waited > seconds(settle)
	})
	if !finished {
		failed = errors.New("the publisher did not stop in time")
	}
	tail := int64(0)
	for _, c := range e.clients {
		if c.state == live && c.known {
			tail += max(0, atomic.LoadInt64(&c.group.next)-1-c.lastSeq)
		}
	}
	elapsed := float64(p.last.Load()-p.first) / 1e9
	report := map[string]any{
		"events": p.events, "expected": p.published.Load(), "delivered": p.delivered.Load(), "lost": e.missing + tail,
		"duplicates": e.duplicates, "seconds": elapsed, "latency": p.latencies.summary(),
		"generator_cpu":      cpuOfProcess() - p.cpu,
		"publishing_seconds": stopped.Sub(p.began).Seconds(),
	}
	p.end()
	e.publisher = nil
	return report, failed
}

func (e *engine) liveByGroup() map[*group]int64 {
	counts := map[*group]int64{}
	for _, c := range e.clients {
		if c.state == live {
			counts[c.group]++
		}
	}
	return counts
}

// complete: every client that is there has the newest event of its group.
func (e *engine) complete() bool {
	for _, c := range e.clients {
		if c.state != live {
			if e.resume {
				return false
			}
			continue
		}
		if c.lastSeq < atomic.LoadInt64(&c.group.next)-1 {
			return false
		}
	}
	return true
}

func (p *publisher) end() {
	p.stop.Store(true)
	_ = p.sink.close()
}

// redisSink publishes on a connection of its own and does not wait for the answers.
type redisSink struct {
	connection net.Conn
	buffer     []byte
}

func newRedisSink(address string) (*redisSink, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, connection) }()
	return &redisSink{connection: connection}, nil
}

func (s *redisSink) send(v event, encoding string) error {
	channel, body, err := v.message(encoding)
	if err != nil {
		return err
	}
	s.buffer = append(s.buffer[:0], "*3\r\n$7\r\nPUBLISH\r\n$"...)
	s.buffer = strconv.AppendInt(s.buffer, int64(len(channel)), 10)
	s.buffer = append(append(append(s.buffer, "\r\n"...), channel...), "\r\n$"...)
	s.buffer = strconv.AppendInt(s.buffer, int64(len(body)), 10)
	s.buffer = append(append(append(s.buffer, "\r\n"...), body...), "\r\n"...)
	_, err = s.connection.Write(s.buffer)
	return err
}

func (s *redisSink) close() error { return s.connection.Close() }

// helper is a program that reads `group seq` lines and publishes each event, with a time of its own.
type helper struct {
	process *exec.Cmd
	input   io.WriteCloser
}

func newHelper(arguments []string) (*helper, error) {
	process := exec.Command(arguments[0], arguments[1:]...)
	process.Stderr = os.Stderr
	input, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	// It says so when it is ready to publish.
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		return nil, fmt.Errorf("the helper %v did not start: %w", arguments, err)
	}
	return &helper{process, input}, nil
}

func (h *helper) send(v event, _ string) error {
	_, err := fmt.Fprintf(h.input, "%s %d\n", v.group, v.seq)
	return err
}

func (h *helper) close() error {
	_ = h.input.Close()
	return h.process.Wait()
}
