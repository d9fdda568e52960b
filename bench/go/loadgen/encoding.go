package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// event is the same for every server; its frame has the size of a real status frame. A traced one tells our server
// which trace it belongs to.
type event struct {
	group  string
	seq    int64
	sent   int64
	traced bool
}

const (
	status    = "on_the_way"
	eventType = "booking_on_the_way"
	actor     = "Ravi Kumar"
	timestamp = "2026-01-03T11:00:00.000000Z"
)

func (v event) json() []byte {
	return fmt.Appendf(nil,
		`{"type":"booking_status","booking_id":%q,"status":%q,"event_type":%q,"actor":%q,"timestamp":%q,"seq":%d,"sent":%d}`,
		v.group, status, eventType, actor, timestamp, v.seq, v.sent)
}

// message gives the Redis channel and body by which a server's own publishers would send the event.
func (v event) message(encoding string) (string, []byte, error) {
	switch encoding {
	case "hunarmitra", "hunarmitra-0.1": // hunarmitra/protocol/messages.py; version 0.1 has no signatures
		fields, now := 5, time.Now().UnixMicro()
		if encoding == "hunarmitra" {
			fields++
		}
		if v.traced {
			fields++
		}
		body := pack{}.mapOf(fields).text("type").text("realtime.status").text("seq").number(v.seq).text("frame").text(string(v.json()))
		body = body.text("committed_at").number(now).text("published_at").number(now)
		if v.traced {
			body = body.text("traceparent").text(traceparent())
		}
		if encoding == "hunarmitra" {
			body = signed("booking."+v.group, body)
		}
		return "asgi__group__booking." + v.group, body, nil
	case "plain": // channels_redis.pubsub, for the consumer of bench/peers/plain.py
		body := pack{}.mapOf(2).text("type").text("bench.event").text("frame").text(string(v.json()))
		return "asgi__group__" + v.group, body, nil
	case "socketio": // @socket.io/redis-emitter
		body := pack{}.listOf(3).text("bench")
		body = body.mapOf(3).text("type").number(2).text("nsp").text("/").text("data").listOf(2).text("booking_status")
		body = body.mapOf(8).text("type").text("booking_status").text("booking_id").text(v.group)
		body = body.text("status").text(status).text("event_type").text(eventType).text("actor").text(actor)
		body = body.text("timestamp").text(timestamp).text("seq").number(v.seq).text("sent").number(v.sent)
		body = body.mapOf(3).text("rooms").listOf(1).text(v.group).text("except").listOf(0).text("flags").mapOf(0)
		return "socket.io#/#" + v.group + "#", body, nil
	case "centrifuge": // protocol.Publication{Data}, field 4, as centrifuge's RedisBroker sends it without history
		data := v.json()
		body := binary.AppendUvarint([]byte{4<<3 | 2}, uint64(len(data)))
		return "centrifuge.client." + v.group, append(body, data...), nil
	}
	return "", nil, fmt.Errorf("unknown encoding %q", encoding)
}

// messageKey is derived from the key of the world's tokens (hunarmitra/outbox/signing.py).
var messageKey = hmacOf([]byte(os.Getenv("BENCH_JWT_SECRET")), []byte("hunarmitra.messages"))

func hmacOf(key, data []byte) []byte {
	sum := hmac.New(sha256.New, key)
	sum.Write(data)
	return sum.Sum(nil)
}

// signed appends the last entry of a map.
func signed(channel string, body pack) pack {
	body = append(body.text("hunarmitra.signature"), 0xc4, sha256.Size)
	return append(body, hmacOf(messageKey, append([]byte(channel+"\x00"), body...))...)
}

// traceparent is of a new trace that is recorded (W3C Trace Context).
func traceparent() string {
	return fmt.Sprintf("00-%016x%016x-%016x-01", rand.Uint64(), rand.Uint64(), rand.Uint64()|1)
}

// pack appends msgpack; maps and lists of fewer than 16 entries.
type pack []byte

func (p pack) mapOf(n int) pack  { return append(p, 0x80|byte(n)) }
func (p pack) listOf(n int) pack { return append(p, 0x90|byte(n)) }

func (p pack) text(value string) pack {
	switch n := len(value); {
	case n < 32:
		p = append(p, 0xa0|byte(n))
	case n < 1<<8:
		p = append(p, 0xd9, byte(n))
	default:
		p = binary.BigEndian.AppendUint16(append(p, 0xda), uint16(n))
	}
	return append(p, value...)
}

func (p pack) number(value int64) pack {
	if value < 128 {
		return append(p, byte(value))
	}
	return binary.BigEndian.AppendUint64(append(p, 0xcf), uint64(value))
}
