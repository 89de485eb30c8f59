#!/usr/bin/env bash
# stress_ng.sh BARE GATEWAY: stress-ng's stressors of files and directories, which check what they do. What works on the
# bare directory has to work on the gateway, too.
# OCFSGW_STRESS_SECONDS: of each group; OCFSGW_STRESSORS: other ones than below, all at once.
. "$(dirname "$0")/lib.sh"
need stress-ng
first=${OCFSGW_STRESS_SECONDS:-1}

# Those of a line run at the same time.
groups=(
  "access chmod chown utime touch xattr fstat chattr"
  "chdir dir dirdeep dirmany dentry getdent filename chroot landlock"
  "link symlink rename mknod open close handle dup fifo"
  "flock fcntl locka lockf lockofd lease dnotify inotify fanotify"
  "fallocate fpunch fsize copy-file sendfile splice seek hdd io"
  "aio aiol revio iomix sync-file readahead loop file-ioctl"
  "mmap madvise mincore msync msyncmany fault"
)
# Not in the list, since the kernel offers no file system in user space what they use:
#   fiemap    FS_IOC_FIEMAP
#   swap      swapon(2)
#   verity    FS_IOC_ENABLE_VERITY; hardly any file system here has it
# and io-uring, which expects of statx(2) what ext4 does not do either.
[ -z "${OCFSGW_STRESSORS:-}" ] || groups=("$OCFSGW_STRESSORS")

# Their defaults are made for big machines.
sizes=(--hdd-bytes 4m --fallocate-bytes 4m --iomix-bytes 4m --sync-file-bytes 4m --readahead-bytes 4m --copy-file-bytes 128m
  --seek-size 4m --mmap-bytes 4m --mmap-file --msync-bytes 4m --sendfile-size 64k
  --dirdeep-bytes 4k --dirdeep-inodes 2000 --chdir-dirs 200 --dentries 500)

# run SIDE STRESSOR...: leaves in $scratch/suspects those that failed or did nothing.
run() {
  local side=$1 stressor options=()
  shift
  for stressor; do options+=("--$stressor" 1); done
  (cd "${!side}" && stress-ng "${options[@]}" "${sizes[@]}" --timeout "$seconds" --verify --metrics --no-rand-seed \
    --temp-path .) >"$scratch/$side.out" 2>&1 </dev/null || echo "exit status $?" >>"$scratch/$side.out"
  grep -q dispatching "$scratch/$side.out" || differs "could not be started: $(head -n 2 "$scratch/$side.out")"
  for stressor; do
    # A stressor that is not supported is in no table, one that has done nothing may have had no time.
    grep -qE "metrc: .*\] $stressor +[1-9]" "$scratch/$side.out" || echo "$stressor"
    sed -nE "s/.* (fail|error): .*\] ($stressor): .*/\2/p" "$scratch/$side.out"
  done | sort -u >"$scratch/suspects"
  # Something else has gone wrong: whatever it was, let each show that it is innocent.
  if [ ! -s "$scratch/suspects" ] && grep -q '^exit status' "$scratch/$side.out"; then printf '%s\n' "$@" >"$scratch/suspects"; fi
}

deviates=
for group in "${groups[@]}"; do
  seconds=$first
  run gateway $group
  seconds=$((first * 5))    # alone, and with time to get something done on a busy machine
  for stressor in $(cat "$scratch/suspects"); do
    run bare "$stressor"
    [ ! -s "$scratch/suspects" ] || continue
    run gateway "$stressor"
    [ ! -s "$scratch/suspects" ] ||
      deviates+="$stressor ($(sed -nE '/fail|error|skip|exit status/ { s/.*\] //; p; q }' "$scratch/gateway.out")); "
  done
done
[ -z "$deviates" ] || differs "work on bare only: $deviates"
