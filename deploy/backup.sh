#!/bin/sh
# A copy of the database, whole or not there at all: DATABASE_URL=postgresql://… deploy/backup.sh bot.dump
# pg_dump must be as new as the server; an older one says so and leaves an empty file behind a redirection.
set -eu

target=${1:?the file to write}
half=$target.half
trap 'rm -f "$half"' EXIT
pg_dump --format=custom --no-owner --file="$half" "${DATABASE_URL:?postgresql://…}"
# Reads the copy's list of contents: an empty or cut-off one has none.
pg_restore --list "$half" | grep -q 'TABLE DATA public ledger ' || {
    echo "$target is not written: the copy holds no ledger" >&2
    exit 1
}
mv "$half" "$target"
