// Command loadgen is the load generator of `make bench`: thousands of WebSocket clients on one epoll loop, a paced
// publisher, and a paced HTTP client, in a process of its own.
//
// It reads one JSON command a line from standard input and answers each with one JSON line. The event loop runs all
// the time, between commands too, so that pings are answered and nothing gathers in the kernel.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

type command struct {
	Do string `json:"do"`

	// connect
	Protocol  string       `json:"protocol"`
	Addresses []string     `json:"addresses"`
	Sockets   []socketSpec `json:"sockets"`
	InFlight  int          `json:"in_flight"`
	Timeout   float64      `json:"timeout"`
	Resume    bool         `json:"resume"`
	Complete  bool         `json:"complete"` // wait for the events that clients with Since missed

	// publish
	Redis    string   `json:"redis"`
	Encoding string   `json:"encoding"`
	Helper   []string `json:"helper"`
	Rate     float64  `json:"rate"`
	Window   int64    `json:"window"`
	Groups   []string `json:"groups"`
	Traced   float64  `json:"traced"`
	Settle   float64  `json:"settle"`

	// churn
	PerSecond float64 `json:"per_second"`

	// stall
	Socket int  `json:"socket"`
	On     bool `json:"on"`

	// http, send
	Requests    []requestSpec `json:"requests"`
	Concurrency int           `json:"concurrency"`
	Seconds     float64       `json:"seconds"`
	Each        bool          `json:"each"` // send: report what became of every location
}

type socketSpec struct {
	Path  string `json:"path"`
	Group string `json:"group"`
	Token string `json:"token"`
	// Sender: it sends locations of its group when told to. Since: the client resumes after this number.
	Sender bool   `json:"sender"`
	Since  *int64 `json:"since"`
}

func main() {
	runtime.LockOSThread() // the loop's thread: it blocks in epoll_wait, which Go's scheduler must not know
	raiseFileLimit()
	loop, err := newEngine()
	if err != nil {
		fatal(err)
	}
	lines := make(chan command)
	go readCommands(lines, loop.wake)
	answers := json.NewEncoder(os.Stdout)
	for {
		var next command
		open, have := true, false
		loop.run(func() bool {
			select {
			case next, open = <-lines:
				have = true
			default:
			}
			return have
		})
		if !open {
			return
		}
		answer, err := loop.handle(next)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		if err := answers.Encode(answer); err != nil {
			return
		}
	}
}

func readCommands(lines chan<- command, wake func()) {
	defer wake()
	defer close(lines)
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var next command
		if err := json.Unmarshal(line, &next); err != nil {
			fatal(fmt.Errorf("a command is not JSON: %w", err))
		}
		go wake()
		lines <- next
	}
}

func (e *engine) handle(c command) (any, error) {
	switch c.Do {
	case "connect":
		return e.connect(c)
	case "publish":
		return e.startPublishing(c)
	case "finish":
		return e.finishPublishing(c.Settle)
	case "churn":
		e.churn(c.PerSecond)
		return map[string]any{}, nil
	case "addresses":
		e.addresses = c.Addresses
		return map[string]any{}, nil
	case "stall":
		return map[string]any{}, e.stall(c.Socket, c.On)
	case "state":
		return e.state(), nil
	case "close":
		return e.closeAll(), nil
	case "http":
		return e.http(c)
	case "send":
		return e.send(c)
	case "floor":
		return e.floor(len(c.Groups), c.Rate, c.Seconds)
	default:
		return nil, fmt.Errorf("unknown command %q", c.Do)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "loadgen:", err)
	os.Exit(1)
}
