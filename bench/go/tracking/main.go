// Command tracking is `POST /api/v1/tracking/{booking_id}/` as a Go team would write it: net/http, a JWT check, one
// statement with pgx (prepared by its pool), and a publication through the centrifuge library's Redis broker, whose
// subscribers the command centrifuge serves. It has the same rules for a plain location; no estimate, no pace.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	mostBytes = 4096
	maxFuture = time.Minute
)

// store has the conditions of the product's statement. The commit does not wait for the disk, as the product's does not.
const store = `
WITH durability AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE bookings_booking AS booking
SET location_lat = $4, location_lng = $5, location_at = $6, location_received_at = $7, location_actor = "user".name
FROM durability, accounts_session AS session JOIN accounts_user AS "user" ON "user".id = session.user_id
WHERE booking.id = $1 AND session.id = $2 AND "user".id = $3
  AND session.revoked_at IS NULL AND session.expires_at > $7 AND "user".is_active
  AND booking.status IN ('confirmed', 'on_the_way', 'arrived')
  AND (booking.worker_id = "user".id OR "user".is_staff OR "user".role = 'admin')
  AND (booking.location_received_at IS NULL OR booking.location_received_at <= $7 - $8::interval)
  AND (booking.location_at IS NULL OR booking.location_at <= $6)
RETURNING booking.seq, booking.status, "user".name`

type server struct {
	secret []byte
	pool   *pgxpool.Pool
	node   *centrifuge.Node
	// interval is the least time between two locations of a booking.
	interval time.Duration
}

type location struct {
	Lat       *float64   `json:"lat"`
	Lng       *float64   `json:"lng"`
	Timestamp *time.Time `json:"timestamp"`
	Accuracy  *float64   `json:"accuracy"`
	Heading   *float64   `json:"heading"`
	Speed     *float64   `json:"speed"`
}

type frame struct {
	Type      string  `json:"type"`
	Seq       int64   `json:"seq"`
	BookingID string  `json:"booking_id"`
	Lat       float64 `json:"lat"`
	Lng       float64 `json:"lng"`
	Timestamp string  `json:"timestamp"`
	Status    string  `json:"status"`
	Actor     string  `json:"actor"`
}

func main() {
	address := flag.String("address", "127.0.0.1:8000", "where to listen")
	database := flag.String("database", "", "PostgreSQL, a URL")
	redis := flag.String("redis", "127.0.0.1:6379", "Redis, host:port")
	interval := flag.Duration("interval", 2*time.Second, "least time between two locations of a booking")
	flag.Parse()
	if err := serve(*address, *database, *redis, *interval); err != nil {
		log.Fatal(err)
	}
}

func serve(address, database, redis string, interval time.Duration) error {
	pool, err := pgxpool.New(context.Background(), database)
	if err != nil {
		return err
	}
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return err
	}
	shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: redis})
	if err != nil {
		return err
	}
	broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}})
	if err != nil {
		return err
	}
	node.SetBroker(broker)
	if err := node.Run(); err != nil {
		return err
	}
	handler := &server{secret: []byte(os.Getenv("BENCH_JWT_SECRET")), pool: pool, node: node, interval: interval}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/tracking/{booking_id}/", handler.post)
	return http.ListenAndServe(address, mux)
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	user, session, err := s.identity(r.Header.Get("Authorization"))
	if err != nil {
		answer(w, http.StatusUnauthorized, map[string]any{"detail": "The token is invalid.", "code": "token_not_valid"})
		return
	}
	booking, err := uuid.Parse(r.PathValue("booking_id"))
	if err != nil {
		answer(w, http.StatusNotFound, map[string]any{"detail": "Not found.", "code": "not_found"})
		return
	}
	now := time.Now().UTC()
	posted, err := read(io.LimitReader(r.Body, mostBytes), now)
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"detail": err.Error(), "code": "invalid"})
		return
	}
	out := frame{Type: "location_update", BookingID: booking.String(), Lat: *posted.Lat, Lng: *posted.Lng}
	row := s.pool.QueryRow(r.Context(), store, booking, session, user, *posted.Lat, *posted.Lng, *posted.Timestamp, now, s.interval)
	switch err := row.Scan(&out.Seq, &out.Status, &out.Actor); {
	case errors.Is(err, pgx.ErrNoRows):
		answer(w, http.StatusConflict, map[string]any{"detail": "The location was not accepted.", "code": "conflict"})
		return
	case err != nil:
		answer(w, http.StatusServiceUnavailable, map[string]any{"detail": "Try again.", "code": "unavailable"})
		return
	}
	out.Timestamp = posted.Timestamp.Format("2006-01-02T15:04:05.000000Z")
	data, err := json.Marshal(out)
	if err == nil {
		_, err = s.node.Publish(booking.String(), data)
	}
	if err != nil {
		log.Printf("a location was not published: %v", err)
	}
	answer(w, http.StatusOK, map[string]any{
		"booking_id": out.BookingID, "lat": out.Lat, "lng": out.Lng, "timestamp": out.Timestamp, "next_in_ms": s.interval.Milliseconds(),
	})
}

// identity returns the user and the session of a bearer token.
func (s *server) identity(header string) (user, session uuid.UUID, err error) {
	token, found := strings.CutPrefix(header, "Bearer ")
	if !found {
		return user, session, errors.New("no bearer token")
	}
	claims := jwt.MapClaims{}
	keys := func(*jwt.Token) (any, error) { return s.secret, nil }
	if _, err = jwt.ParseWithClaims(token, claims, keys, jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()); err != nil {
		return user, session, err
	}
	if user, err = uuid.Parse(fmt.Sprint(claims["user_id"])); err != nil {
		return user, session, err
	}
	session, err = uuid.Parse(fmt.Sprint(claims["sid"]))
	return user, session, err
}

func read(body io.Reader, now time.Time) (location, error) {
	var posted location
	if err := json.NewDecoder(body).Decode(&posted); err != nil {
		return posted, errors.New("the body is not a location")
	}
	if posted.Lat == nil || posted.Lng == nil || math.Abs(*posted.Lat) > 90 || math.Abs(*posted.Lng) > 180 {
		return posted, errors.New("lat or lng is missing or out of range")
	}
	if posted.Timestamp == nil || posted.Timestamp.After(now) {
		if posted.Timestamp != nil && posted.Timestamp.After(now.Add(maxFuture)) {
			return posted, errors.New("the timestamp is in the future")
		}
		posted.Timestamp = &now
	}
	return posted, nil
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("an answer was not written: %v", err)
	}
}
