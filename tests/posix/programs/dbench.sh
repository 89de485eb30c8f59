#!/usr/bin/env bash
# dbench.sh BARE GATEWAY: a file server's load as recorded; every operation has to end as it did then.
# OCFSGW_DBENCH_SECONDS, OCFSGW_DBENCH_CLIENTS.
. "$(dirname "$0")/lib.sh"
need dbench

# One process per client: several clients of one process sometimes fail to start, since the first removes the semaphore
# that the others still wait for.
load() {
  local client clients=()
  for ((client = 0; client < ${OCFSGW_DBENCH_CLIENTS:-3}; client++)); do
    mkdir $client
    dbench -c /usr/share/dbench/client.txt -D $client -t "${OCFSGW_DBENCH_SECONDS:-3}" --fsync --xattr --stat-check 1 2>&1 &
    clients+=($!)
  done
  for client in "${clients[@]}"; do wait "$client"; done
}

for side in bare gateway; do
  on $side load
  # It does not say by its exit status that operations failed.
  [ "$(grep -c '^Throughput ' "$scratch/$side.out")" -eq "${OCFSGW_DBENCH_CLIENTS:-3}" ] ||
    differs "no result on $side: $(tail -n 3 "$scratch/$side.out")"
  ! grep -iE 'fail|error|expected|warning' "$scratch/$side.out" "$scratch/$side.err" >"$scratch/errors" ||
    differs "on $side: $(head -n 2 "$scratch/errors")"
done
