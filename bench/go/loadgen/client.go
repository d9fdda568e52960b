package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

type clientState int

const (
	closed clientState = iota
	connecting
	upgrading
	joining
	live
)

func (s clientState) String() string {
	return [...]string{"closed", "connecting", "upgrading", "joining", "live"}[s]
}

const retryDelay = 200 * time.Millisecond

// client is one WebSocket. It is told that its descriptor is ready, and parses what it reads in the engine's buffer;
// only the rest of an incomplete frame is kept.
type client struct {
	engine    *engine
	spec      socketSpec
	group     *group
	fd        int
	state     clientState
	rest      []byte
	lastSeq   int64
	known     bool // lastSeq is the number of the last event that this client processed
	resync    bool
	stalled   bool
	late      bool // it stopped reading once: what it reads then is as old as it chose, and no latency of the server's
	after     time.Duration
	startedAt time.Time
	joinedAt  time.Time
	// Of a shared connection: its subscriptions that have joined, and the newest event of its booking.
	subscribed int
	newest     int64
	// When it had every event that the server knew at its join.
	completeAt time.Time
}

func (c *client) open() {
	e := c.engine
	c.startedAt, c.rest, c.after = time.Now(), nil, 0
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.lost("socket: " + err.Error())
		return
	}
	address := e.addresses[rand.IntN(len(e.addresses))]
	host, port, _ := net.SplitHostPort(address)
	number, _ := strconv.Atoi(port)
	to := &unix.SockaddrInet4{Port: number}
	copy(to.Addr[:], net.ParseIP(host).To4())
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	c.fd, c.state = fd, connecting
	e.inFlight++
	e.byFd[int32(fd)] = c
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		c.drop("connect: " + err.Error())
		return
	}
	if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fd)}); err != nil {
		c.drop("epoll_ctl: " + err.Error())
	}
}

func (c *client) ready(events uint32) {
	if c.state == connecting {
		if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			c.drop("connect: refused")
			return
		}
		c.state = upgrading
		_ = unix.EpollCtl(c.engine.epoll, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
		c.writeRaw([]byte("GET " + c.engine.protocol.path(c) + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n" +
			"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"))
		return
	}
	n, err := unix.Read(c.fd, c.engine.buffer)
	if n <= 0 {
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			return
		}
		c.drop("closed without a close frame")
		return
	}
	data := c.engine.buffer[:n]
	if len(c.rest) > 0 {
		data = append(c.rest, data...)
		c.rest = nil
	}
	if c.state == upgrading {
		end := bytes.Index(data, []byte("\r\n\r\n"))
		if end < 0 {
			c.rest = bytes.Clone(data)
			return
		}
		if !bytes.HasPrefix(data, []byte("HTTP/1.1 101")) {
			c.drop(strings.SplitN(string(data), "\r\n", 2)[0])
			return
		}
		c.state = joining
		c.engine.protocol.upgraded(c)
		data = data[end+4:]
	}
	c.frames(data)
}

// frames parses server frames (RFC 6455, section 5.2: never masked; our servers do not fragment).
func (c *client) frames(data []byte) {
	for len(data) >= 2 {
		length, header := int(data[1]&0x7f), 2
		switch length {
		case 126:
			header = 4
			if len(data) >= 4 {
				length = int(binary.BigEndian.Uint16(data[2:]))
			}
		case 127:
			header = 10
			if len(data) >= 10 {
				length = int(binary.BigEndian.Uint64(data[2:]))
			}
		}
		if len(data) < header || len(data) < header+length {
			break
		}
		payload := data[header : header+length]
		switch data[0] & 0x0f {
		case 1, 2:
			c.engine.protocol.message(c, payload)
		case 8:
			code := 1005
			if len(payload) >= 2 {
				code = int(binary.BigEndian.Uint16(payload))
			}
			c.write(8, payload)
			c.ended(code)
			return
		case 9:
			c.write(10, payload)
		}
		if c.fd < 0 {
			return
		}
		data = data[header+length:]
	}
	if len(data) > 0 {
		c.rest = bytes.Clone(data)
	}
}

// joined is called by the protocol when events will arrive from now on; seq is the newest that the server knows.
func (c *client) joined(seq int64) {
	if c.state != joining {
		return
	}
	c.state, c.joinedAt = live, time.Now()
	c.engine.inFlight--
	if !c.known {
		c.lastSeq = seq
		c.known = true
	}
	if next := atomic.LoadInt64(&c.group.next); seq >= next {
		atomic.CompareAndSwapInt64(&c.group.next, next, seq+1)
	}
	c.newest = seq
	c.checkComplete()
}

func (c *client) checkComplete() {
	if c.completeAt.IsZero() && c.state == live && c.lastSeq >= c.newest {
		c.completeAt = time.Now()
	}
}

// event is called by the protocol for every event; sent is its time of publishing (CLOCK_MONOTONIC, ns), 0 if unknown.
func (c *client) event(seq, sent int64) {
	e := c.engine
	switch {
	case seq == c.lastSeq+1:
	case seq <= c.lastSeq:
		e.duplicates++
		return
	default:
		e.missing += seq - c.lastSeq - 1
	}
	c.lastSeq = seq
	c.checkComplete()
	if p := e.publisher; p != nil {
		p.delivered.Add(1)
		if sent > 0 {
			p.arrived(sent, !c.late)
		}
	}
}

// write sends one frame under an all-zero mask, which the RFC allows and which costs nothing.
func (c *client) write(opcode byte, payload []byte) {
	frame := make([]byte, 0, len(payload)+14)
	frame = append(frame, 0x80|opcode)
	if len(payload) < 126 {
		frame = append(frame, 0x80|byte(len(payload)))
	} else {
		frame = append(frame, 0x80|126)
		frame = binary.BigEndian.AppendUint16(frame, uint16(len(payload)))
	}
	frame = append(frame, 0, 0, 0, 0)
	c.writeRaw(append(frame, payload...))
}

func (c *client) writeRaw(data []byte) {
	if _, err := unix.Write(c.fd, data); err != nil && c.fd >= 0 {
		c.drop("write: " + err.Error())
	}
}

// ended: the server closed with that code.
func (c *client) ended(code int) {
	c.engine.codes[code]++
	c.close()
	c.lost("close code " + strconv.Itoa(code))
}

// drop: the connection is gone without a close frame, which a browser shows as 1006.
func (c *client) drop(why string) {
	if c.state == live {
		c.engine.codes[1006]++
	}
	c.close()
	c.lost(why)
}

// lost decides whether the client comes back.
func (c *client) lost(why string) {
	if !c.engine.resume {
		c.engine.failures[why]++
		return
	}
	delay := c.after
	if delay == 0 {
		delay = retryDelay
	}
	c.engine.after(delay, c)
}

// close ends the connection from this side.
func (c *client) close() {
	if c.fd < 0 {
		return
	}
	if c.state != live {
		c.engine.inFlight--
	}
	delete(c.engine.byFd, int32(c.fd))
	_ = unix.Close(c.fd)
	c.fd, c.state, c.rest, c.stalled = -1, closed, nil, false
}
