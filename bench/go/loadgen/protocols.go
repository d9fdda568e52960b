package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// protocol is how one of the servers is spoken to: what the handshake asks for, how a client joins its group, and
// what a message says.
type protocol interface {
	path(c *client) string
	upgraded(c *client)
	message(c *client, text []byte)
}

func protocolOf(name string) (protocol, error) {
	switch name {
	case "hunarmitra":
		return hunarmitra{}, nil
	case "hunarmitra-shared":
		return shared{}, nil
	case "plain":
		return plain{}, nil
	case "socketio":
		return socketio{}, nil
	case "centrifuge":
		return centrifuge{}, nil
	}
	return nil, fmt.Errorf("unknown protocol %q", name)
}

var (
	seqKey         = []byte(`"seq":`)
	sentKey        = []byte(`"sent":`)
	latKey         = []byte(`"lat":`)
	established    = []byte(`{"type":"connection_established"`)
	locationUpdate = []byte(`{"type":"location_update"`)
	bookingStatus  = []byte(`{"type":"booking_status"`)
	reconnectFrame = []byte(`{"type":"reconnect","after_ms":`)
	resyncFrame    = []byte(`{"type":"resync_required"`)
	acceptedFrame  = []byte(`{"type":"location_accepted"`)
	errorFrame     = []byte(`{"type":"error"`)
	codeKey        = []byte(`"code":"`)
	bookingKey     = []byte(`"booking_id":`)
	idKey          = []byte(`"id":"`)
	retryKey       = []byte(`"retry_in_ms":`)
)

// events finds every event of a message: servers may put several into one frame (Centrifuge does).
func events(c *client, text []byte) {
	for {
		at := bytes.Index(text, seqKey)
		if at < 0 {
			return
		}
		text = text[at+len(seqKey):]
		seq := digits(text)
		var sent int64
		// The time follows the number at once in the frames that we publish; replayed ones have none.
		if at := bytes.Index(text[:min(len(text), 40)], sentKey); at >= 0 {
			sent = digits(text[at+len(sentKey):])
		}
		c.event(seq, sent)
	}
}

func digits(text []byte) int64 {
	var value int64
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			break
		}
		value = value*10 + int64(digit-'0')
	}
	return value
}

// hunarmitra is this project's own API (docs/realtime.md).
type hunarmitra struct{}

func (hunarmitra) path(c *client) string {
	path := c.spec.Path + "?token=" + c.spec.Token
	if c.known {
		path += "&since=" + strconv.FormatInt(c.lastSeq, 10)
	}
	return path
}

func (hunarmitra) upgraded(*client) {}

func (hunarmitra) message(c *client, text []byte) {
	switch {
	case bytes.HasPrefix(text, bookingStatus):
		events(c, text)
	case bytes.HasPrefix(text, locationUpdate):
		if c.engine.positions != nil {
			c.engine.positions.in(text)
		}
	case bytes.HasPrefix(text, established):
		if at := bytes.Index(text, seqKey); at >= 0 {
			c.joined(digits(text[at+len(seqKey):]))
		}
	case bytes.HasPrefix(text, acceptedFrame):
		c.engine.answered("accepted", text)
	case bytes.HasPrefix(text, errorFrame):
		if at := bytes.Index(text, codeKey); at >= 0 {
			code, _, _ := bytes.Cut(text[at+len(codeKey):], []byte(`"`))
			c.engine.answered(string(code), text)
		}
	case bytes.HasPrefix(text, reconnectFrame):
		c.after = time.Duration(digits(text[len(reconnectFrame):])) * time.Millisecond
	case bytes.HasPrefix(text, resyncFrame):
		// What the log cannot give is fetched over REST, and events count from there.
		c.engine.resyncs++
		if at := bytes.Index(text, seqKey); at >= 0 {
			c.lastSeq = digits(text[at+len(seqKey):])
		}
	}
}

// shared is /ws/: a client subscribes to its group's booking and to the notifications.
type shared struct{ hunarmitra }

func (shared) path(c *client) string { return c.spec.Path + "?token=" + c.spec.Token }

func (shared) upgraded(c *client) {
	c.subscribed = 0
	since := ""
	if c.known {
		since = fmt.Sprintf(`,"since":%d`, c.lastSeq)
	}
	c.write(1, fmt.Appendf(nil, `{"type":"subscribe","channel":"booking","booking_id":%q%s}`, c.spec.Group, since))
	c.write(1, []byte(`{"type":"subscribe","channel":"notifications"}`))
}

func (s shared) message(c *client, text []byte) {
	if !bytes.HasPrefix(text, established) {
		s.hunarmitra.message(c, text)
		return
	}
	c.subscribed++
	if at := bytes.Index(text, seqKey); at >= 0 && bytes.Contains(text, bookingKey) {
		c.newest = digits(text[at+len(seqKey):])
		if !c.known {
			c.lastSeq, c.known = c.newest, true
		}
	}
	if c.subscribed == 2 {
		c.joined(c.newest)
	}
}

// plain is an ordinary Channels consumer that says {"type":"ready"} once it is in its group.
type plain struct{}

func (plain) path(c *client) string { return c.spec.Path + "?token=" + c.spec.Token }

func (plain) upgraded(*client) {}

func (plain) message(c *client, text []byte) {
	if c.state == joining {
		c.joined(atomic.LoadInt64(&c.group.next) - 1)
		return
	}
	events(c, text)
}

// socketio is Socket.IO 4 over Engine.IO 4, WebSocket only.
type socketio struct{}

func (socketio) path(*client) string { return "/socket.io/?EIO=4&transport=websocket" }

func (socketio) upgraded(*client) {}

func (socketio) message(c *client, text []byte) {
	switch {
	case len(text) == 0:
	case text[0] == '0':
		auth, _ := json.Marshal(map[string]string{"token": c.spec.Token, "room": c.spec.Group})
		c.write(1, append([]byte("40"), auth...))
	case text[0] == '2':
		c.write(1, []byte("3"))
	case bytes.HasPrefix(text, []byte(`42["ready"`)):
		c.joined(atomic.LoadInt64(&c.group.next) - 1)
	case bytes.HasPrefix(text, []byte("44")):
		c.drop("refused: " + string(text))
	default:
		events(c, text)
	}
}

// centrifuge is Centrifuge's JSON protocol, version 2; replies are divided by line feeds.
type centrifuge struct{}

func (centrifuge) path(*client) string { return "/connection/websocket" }

func (centrifuge) upgraded(c *client) {
	c.write(1, fmt.Appendf(nil, `{"id":1,"connect":{"token":%q}}`+"\n"+`{"id":2,"subscribe":{"channel":%q}}`, c.spec.Token, c.spec.Group))
}

func (centrifuge) message(c *client, text []byte) {
	switch {
	case c.state == joining:
		if bytes.Contains(text, []byte(`"id":2,"subscribe":`)) {
			c.joined(atomic.LoadInt64(&c.group.next) - 1)
		} else if bytes.Contains(text, []byte(`"error":`)) {
			c.drop("refused: " + string(text))
		}
	case bytes.Equal(text, []byte("{}")):
		c.write(1, []byte("{}"))
	case c.engine.positions != nil:
		c.engine.positions.in(text)
	default:
		events(c, text)
	}
}
