#!/usr/bin/env bash
# sqlite.sh BARE GATEWAY: concurrent writers in every journal mode; counters add up, nothing is damaged.
# OCFSGW_SQLITE_TRANSACTIONS: of each writer.
. "$(dirname "$0")/lib.sh"
need /usr/bin/python3
transactions=${OCFSGW_SQLITE_TRANSACTIONS:-40}
writers=4
kept=$((writers * (transactions - transactions / 7)))

for mode in DELETE TRUNCATE PERSIST WAL; do
  both /usr/bin/python3 -B "$here/sqlite_writers.py" "$mode.db" $mode $writers "$transactions"
  grep -qx "counter $kept" "$scratch/gateway.out" || differs "$mode: $(grep counter "$scratch/gateway.out") instead of $kept"
  [ "$(grep -cx 'integrity ok' "$scratch/gateway.out")" -eq 2 ] || differs "$mode: $(grep integrity "$scratch/gateway.out")"
done
# The log's shared memory is gone with its last user.
both ls
