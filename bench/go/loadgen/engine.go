package main

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// engine owns every client. All of its methods run on one thread; publishers and HTTP workers run on others and
// share only atomics with it.
type engine struct {
	epoll   int
	wakeFd  int
	events  []unix.EpollEvent
	buffer  []byte
	clients []*client
	byFd    map[int32]*client
	groups  map[string]*group

	protocol  protocol
	addresses []string
	resume    bool
	pending   []*client // waiting for a place among those in flight
	inFlight  int
	limit     int
	timers    timerHeap

	publisher  *publisher
	positions  *positions
	answers    map[string]int // of the server to locations that were sent
	told       *told          // what became of each of them, if asked
	runs       int64          // of send, so far, that asked
	codes      map[int]int
	seconds    map[int64]int // reconnects by second
	duplicates int64
	missing    int64
	failures   map[string]int
	resyncs    int

	churnEvery time.Duration
	churnDue   time.Time
}

// group is one booking, room or channel; next is the number that its next event gets, and is accessed atomically.
type group struct {
	name string
	next int64
}

func newEngine() (*engine, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wakeFd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	e := &engine{
		epoll: epoll, wakeFd: wakeFd, events: make([]unix.EpollEvent, 512), buffer: make([]byte, 1<<18),
		byFd: map[int32]*client{}, groups: map[string]*group{},
		codes: map[int]int{}, seconds: map[int64]int{}, failures: map[string]int{},
	}
	return e, unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wakeFd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wakeFd)})
}

func (e *engine) wake() {
	_, _ = unix.Write(e.wakeFd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// pollEvery is the pause between two looks at the clients. To be woken by the first write to any of them would be
// paid by the server that writes: on loopback, waking the reader costs the writer more than the write, which no
// client across a network makes it pay. Latencies are up to this much too long, for every server alike.
const pollEvery = 300 * time.Microsecond

// run serves clients until done says so; done is asked after every turn of the loop.
func (e *engine) run(done func() bool) {
	for !done() {
		n, err := unix.EpollWait(e.epoll, e.events, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			fatal(fmt.Errorf("epoll_wait: %w", err))
		}
		for i := range max(n, 0) {
			event := e.events[i]
			if int(event.Fd) == e.wakeFd {
				_, _ = unix.Read(e.wakeFd, e.buffer[:8])
				continue
			}
			if c := e.byFd[event.Fd]; c != nil {
				c.ready(event.Events)
			}
		}
		e.tick()
		if n < len(e.events) {
			pause := unix.NsecToTimespec(int64(pollEvery))
			_ = unix.Nanosleep(&pause, nil)
		}
	}
}

func (e *engine) tick() {
	now := time.Now()
	for len(e.timers) > 0 && !e.timers[0].due.After(now) {
		due := heap.Pop(&e.timers).(timer)
		if due.client.state == closed {
			e.pending = append(e.pending, due.client)
			e.seconds[now.Unix()]++
		}
	}
	for len(e.pending) > 0 && (e.limit == 0 || e.inFlight < e.limit) {
		c := e.pending[0]
		e.pending = e.pending[1:]
		c.open()
	}
	for e.churnEvery > 0 && !e.churnDue.After(now) {
		e.churnDue = e.churnDue.Add(e.churnEvery)
		e.replaceOne()
	}
}

func (e *engine) after(delay time.Duration, c *client) {
	heap.Push(&e.timers, timer{time.Now().Add(delay), c})
}

func (e *engine) connect(c command) (any, error) {
	speak, err := protocolOf(c.Protocol)
	if err != nil {
		return nil, err
	}
	e.protocol, e.addresses, e.resume, e.limit = speak, c.Addresses, c.Resume, c.InFlight
	began, first := time.Now(), len(e.clients)
	e.failures = map[string]int{}
	for _, spec := range c.Sockets {
		g := e.groups[spec.Group]
		if g == nil {
			g = &group{name: spec.Group, next: 1}
			e.groups[spec.Group] = g
		}
		one := &client{engine: e, spec: spec, group: g, state: closed, fd: -1}
		if spec.Since != nil {
			one.lastSeq, one.known = *spec.Since, true
		}
		e.clients = append(e.clients, one)
		e.pending = append(e.pending, one)
	}
	added := e.clients[first:]
	e.resume = false // a client that fails to join for the first time is a failure, not a reconnect
	deadline := began.Add(seconds(c.Timeout))
	e.run(func() bool {
		if time.Now().After(deadline) {
			return true
		}
		return len(e.pending) == 0 && e.inFlight == 0 && len(e.timers) == 0 && (!c.Complete || allComplete(added))
	})
	e.resume = c.Resume
	elapsed := time.Since(began)
	times, complete := newSamples(len(added)), newSamples(len(added))
	joined := 0
	for _, one := range added {
		if one.state == live {
			joined++
			times.add(one.joinedAt.Sub(one.startedAt))
			if !one.completeAt.IsZero() {
				complete.add(one.completeAt.Sub(began))
			}
		}
	}
	return map[string]any{
		"complete": complete.summary(), "joined": joined, "failed": len(added) - joined, "failures": e.failures, "seconds": elapsed.Seconds(), "times": times.summary(),
	}, nil
}

// allComplete: every client that has joined has the events that it missed.
func allComplete(clients []*client) bool {
	for _, one := range clients {
		if one.state == live && one.completeAt.IsZero() {
			return false
		}
	}
	return true
}

// churn closes and reopens that many clients a second, each as a newcomer without `since`.
func (e *engine) churn(perSecond float64) {
	e.churnEvery = 0
	if perSecond > 0 {
		e.churnEvery = seconds(1 / perSecond)
		e.churnDue = time.Now()
	}
}

func (e *engine) replaceOne() {
	for range 20 {
		c := e.clients[rand.IntN(len(e.clients))]
		if c.state == live && !c.stalled {
			c.close()
			c.known = false
			e.pending = append(e.pending, c)
			return
		}
	}
}

// stall makes one client stop reading, or go on.
func (e *engine) stall(index int, on bool) error {
	c := e.clients[index]
	if c.stalled == on {
		return nil
	}
	c.stalled, c.late = on, true
	if on {
		_ = unix.EpollCtl(e.epoll, unix.EPOLL_CTL_DEL, c.fd, nil)
		return nil
	}
	return unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
}

func (e *engine) state() any {
	counts := map[string]int{}
	for _, c := range e.clients {
		counts[c.state.String()]++
	}
	bySecond := map[string]int{}
	for second, n := range e.seconds {
		bySecond[fmt.Sprint(second)] = n
	}
	return map[string]any{
		"clients": counts, "codes": e.codes, "reconnects_by_second": bySecond, "resyncs": e.resyncs, "failures": e.failures,
		"cpu": cpuOfProcess(),
	}
}

func (e *engine) closeAll() any {
	for _, c := range e.clients {
		if c.fd >= 0 {
			c.close()
		}
	}
	answer := e.state()
	e.clients, e.pending, e.timers = nil, nil, nil
	e.groups = map[string]*group{}
	e.codes, e.seconds, e.failures = map[int]int{}, map[int64]int{}, map[string]int{}
	e.resyncs, e.inFlight, e.churnEvery = 0, 0, 0
	e.duplicates, e.missing = 0, 0
	if e.publisher != nil {
		e.publisher.end()
		e.publisher = nil
	}
	return answer
}

type timer struct {
	due    time.Time
	client *client
}

type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}

func seconds(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }
