#!/bin/bash
# The life of a lab node: joins the o2cb cluster, mounts the shared volume, dlmfs and the cache disk, then runs commands.
# /lab is the node's directory on the host (scripts/cluster, class Node, says what is in it).
# shellcheck disable=SC1091  # /lab/env is written by scripts/cluster
. /lab/env   # NODE NODES DEAD_THRESHOLD PATH
export PATH HOME=/root LANG=C.UTF-8
set -m       # each job is a process group of its own
cd /root || exit

step() { read -r up _ </proc/uptime; echo "$up $*" >>/lab/progress; }
fail() { step "failed: $*"; echo "node-main: $*"; poweroff -f; }

# A node that fences itself restarts its kernel: to the lab that is a power failure.
if [ -e /lab/booted ]; then poweroff -f; fi
: >/lab/booted
step started

cluster=/sys/kernel/config/cluster/lab
mkdir "$cluster"
for ((n = 1; n <= NODES; n++)); do
  mkdir "$cluster/node/node$n" || fail "o2cb refuses node $n"
  echo 7777 >"$cluster/node/node$n/ipv4_port"   # port and address before the number, or the number is refused
  echo "192.0.2.$n" >"$cluster/node/node$n/ipv4_address"
  echo "$n" >"$cluster/node/node$n/num"
done
ip -batch - <<END || fail "no network"
link set lo up
addr add 192.0.2.$NODE/24 dev eth0
link set eth0 up
END
echo 1 >"$cluster/node/node$NODE/local"
echo "$DEAD_THRESHOLD" >"$cluster/heartbeat/dead_threshold"
echo 10000 >"$cluster/idle_timeout_ms"

# Mounting waits for heartbeats most of the time: do the rest meanwhile.
mount -t ocfs2 -o noatime,X-mount.mkdir /dev/ubda /mnt/shared &
shared=$!
step joining
modprobe -d /lab/modules -a ocfs2_dlmfs fuse af_packet || fail "kernel modules missing"
mount -a -T /lab/fstab.late || fail "cannot mount dlmfs or the cache disk"
wait "$shared"
[[ $(</proc/mounts) == *" /mnt/shared ocfs2 "* ]] || fail "cannot mount the shared volume"
step mounted

job() { # id: runs /lab/jobs/ID.cmd; ID.status appears last and holds the exit status
  # shellcheck disable=SC1090
  (. "/lab/jobs/$1.cmd") >"/lab/jobs/$1.out" 2>&1 </dev/null
  echo $? >"/lab/jobs/$1.status"
}
# What a job printed so far reaches the host only when somebody asks for it. A process of its own does that: a `read` with a
# time-out in the loop below would now and then time out in the middle of a line and lose that command.
(
  mkfifo /run/never
  exec {never}<>/run/never
  while true; do
    read -r -t 1 -u "$never"
    outputs=(/lab/jobs/*.out)
    [ ! -e "${outputs[0]}" ] || sync "${outputs[@]}" 2>/dev/null
  done
) &
declare -A group=()
while read -r verb id; do
  case $verb in
    run)
      for old in "${!group[@]}"; do
        kill -0 "${group[$old]}" 2>/dev/null || unset "group[$old]"
      done
      job "$id" &
      group[$id]=$!
      ;;
    kill) kill -KILL -- "-${group[$id]}" ;;
  esac
done
