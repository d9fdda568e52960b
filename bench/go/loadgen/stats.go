package main

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// samples are durations, kept as they are: quantiles are exact. Beyond the capacity every second one is kept on.
type samples struct {
	lock   sync.Mutex
	values []int64
	every  int64
	seen   int64
}

const mostSamples = 1 << 22

func newSamples(capacity int) *samples {
	return &samples{values: make([]int64, 0, min(capacity, mostSamples)), every: 1}
}

func (s *samples) add(value time.Duration) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.seen++
	if s.seen%s.every != 0 {
		return
	}
	if len(s.values) == mostSamples {
		for i := range mostSamples / 2 {
			s.values[i] = s.values[2*i]
		}
		s.values = s.values[:mostSamples/2]
		s.every *= 2
	}
	s.values = append(s.values, int64(value))
}

// summary is in milliseconds.
func (s *samples) summary() map[string]any {
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(s.values) == 0 {
		return map[string]any{"count": 0}
	}
	slices.Sort(s.values)
	at := func(q float64) float64 {
		return float64(s.values[min(len(s.values)-1, int(q*float64(len(s.values))))]) / 1e6
	}
	return map[string]any{"count": s.seen, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1)}
}

// monotonic is CLOCK_MONOTONIC in nanoseconds, the clock that Python's time.monotonic_ns() reads too.
func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano()
}

// cpuOfProcess and cpuOfThread are seconds of user and system time.
func cpuOfProcess() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func cpuOfThread() float64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now)
	return float64(now.Nano()) / 1e9
}
