#!/usr/bin/env bash
# dbench.sh BARE GATEWAY: a file server's load as recorded; every operation has to end as it did then.
# OCFSGW_DBENCH_SECONDS, OCFSGW_DBENCH_CLIENTS.
. "$(dirname "$0")/lib.sh"
need dbench

# One process per client: several clients of one process sometimes fail to start, since the first removes the semaphore
# that the others still wait for.
# A client that has not started (no semaphore to start by, for one; seen on the bare side) has said nothing of the file
# system: again.
client() {
  local try
  for try in 1 2 3; do
    dbench -c /usr/share/dbench/client.txt -D "$1" -t "${OCFSGW_DBENCH_SECONDS:-3}" --fsync --xattr --stat-check 1 >"$1.log" 2>&1 || true
    ! grep -qE 'warmup|execute|Operation +Count' "$1.log" || break
  done
  cat "$1.log"
  rm "$1.log"
}

load() {
  local client clients=()
  for ((client = 0; client < ${OCFSGW_DBENCH_CLIENTS:-3}; client++)); do
    mkdir $client
    client $client &
    clients+=($!)
  done
  for client in "${clients[@]}"; do wait "$client"; done
}

for side in bare gateway; do
  on $side load
  # It does not say by its exit status that operations failed.
  [ "$(grep -c '^Throughput ' "$scratch/$side.out")" -eq "${OCFSGW_DBENCH_CLIENTS:-3}" ] ||
    differs "a client without result on $side: $(grep -vE ' +[0-9]+ +[0-9.]+ +[0-9.]+$' "$scratch/$side.out" | tail -n 20)"
  # What clients start by is no matter of the file system; one that could not make it has a result all the same.
  ! cat "$scratch/$side.out" "$scratch/$side.err" | grep -v 'barrier semaphore' |
    grep -iE 'fail|error|expected|warning' >"$scratch/errors" ||
    differs "on $side: $(head -n 2 "$scratch/errors")"
done
