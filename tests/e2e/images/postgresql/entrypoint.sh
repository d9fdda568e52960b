#!/bin/sh
# Makes the database at the first start, then serves it: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, PGDATA.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA"
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 \
    --locale=C.UTF-8 --no-sync > /tmp/initdb.log || { cat /tmp/initdb.log; exit 1; }
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl --silent --wait --log=/tmp/setup.log --options='-c listen_addresses="" -c unix_socket_directories=/tmp' start
  psql --quiet --host=/tmp --username="$POSTGRES_USER" --dbname=postgres --command="CREATE DATABASE \"$POSTGRES_DB\""
  pg_ctl --silent --wait --mode=fast stop
fi
# A killed server leaves it. Where containers share a process namespace, its number may be that of another process.
rm -f "$PGDATA/postmaster.pid"
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
