package main

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// floor measures what no server can do without: one bare write of one frame to a loopback TCP socket, on a thread of
// its own, while this program's ordinary clients read and check them. It says both what a delivery must cost and how
// many deliveries the generator itself can take. With a rate, in rounds of all sockets a second, the thread sleeps
// between two rounds as a server does between two events, and finds its caches and the reader as cold as that does.
func (e *engine) floor(sockets int, rate, duration float64) (any, error) {
	ends, err := e.loopbackClients(sockets)
	if err != nil {
		return nil, err
	}
	before := cpuOfProcess()
	var stop atomic.Bool
	type written struct {
		count int64
		cpu   float64
	}
	finished := make(chan written, 1)
	p := &publisher{window: 1, latencies: newSamples(0)}
	e.publisher = p
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var total written
		began := cpuOfThread()
		next := time.Now()
		for seq := int64(1); !stop.Load(); seq++ {
			if rate > 0 {
				next = next.Add(time.Duration(float64(time.Second) / rate))
				pause := unix.NsecToTimespec(int64(time.Until(next)))
				_ = unix.Nanosleep(&pause, nil) // on this thread, unlike time.Sleep, which Go's scheduler would pay for
			}
			frame := textFrame(event{group: "00000000-0000-4000-8000-000000000000", seq: seq, sent: monotonic()}.json())
			for _, fd := range ends {
				if _, err := unix.Write(fd, frame); err != nil {
					continue
				}
				total.count++
			}
		}
		total.cpu = cpuOfThread() - began
		finished <- total
	}()
	began := time.Now()
	loopBegan := cpuOfThread()
	e.run(func() bool { return time.Since(began) > seconds(duration) })
	stop.Store(true)
	loopCPU := cpuOfThread() - loopBegan
	delivered := p.delivered.Load()
	total := <-finished
	e.run(func() bool { return p.delivered.Load() >= total.count || time.Since(began) > seconds(duration+2) })
	e.publisher = nil
	for _, fd := range ends {
		_ = unix.Close(fd)
	}
	e.closeAll()
	return map[string]any{
		"writes": total.count, "write_us": total.cpu / float64(total.count) * 1e6,
		"received_per_second": float64(delivered) / duration, "receive_us": loopCPU / float64(delivered) * 1e6,
		"lost": total.count - p.delivered.Load(), "generator_cpu": cpuOfProcess() - before,
	}, nil
}

// loopbackClients makes clients that are joined already, and returns the blocking other ends of their connections.
func (e *engine) loopbackClients(sockets int) ([]int, error) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(listener) }()
	if err := errors.Join(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(listener, 64)); err != nil {
		return nil, err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return nil, err
	}
	e.protocol = plain{}
	g := &group{name: "floor", next: 1}
	var ends []int
	for range sockets {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		if err := unix.Connect(fd, address); err != nil {
			return nil, err
		}
		end, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			return nil, err
		}
		_ = unix.SetNonblock(fd, true)
		_ = unix.SetsockoptInt(end, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		c := &client{engine: e, group: g, fd: fd, state: live, known: true}
		e.clients = append(e.clients, c)
		e.byFd[int32(fd)] = c
		if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return nil, err
		}
		ends = append(ends, end)
	}
	return ends, nil
}

func textFrame(payload []byte) []byte {
	return append([]byte{0x81, 126, byte(len(payload) >> 8), byte(len(payload))}, payload...)
}
