#!/usr/bin/env bash
# fio.sh BARE GATEWAY: random writes by several ways into the kernel, read again and verified.
# OCFSGW_FIO_SIZE: of each file.
. "$(dirname "$0")/lib.sh"
need fio
size=${OCFSGW_FIO_SIZE:-4m}

# verified ENGINE [OPTION...]
verified() {
  fio --name=job --directory=. --size="$size" --rw=randwrite --bsrange=512-64k --bs_unaligned --verify=crc32c \
    --verify_fatal=1 --do_verify=1 --randseed=1 --minimal --output="$scratch/fio" --ioengine="$@"
  rm -f job.*
}

for side in bare gateway; do
  on $side verified psync
  on $side verified psync --fsync=8 --numjobs=3
  on $side verified psync --direct=1 --bsrange=4k-64k --bs_unaligned=0
  on $side verified libaio --iodepth=8
  on $side verified libaio --iodepth=8 --direct=1 --bsrange=4k-64k --bs_unaligned=0
  on $side verified mmap
  on $side verified mmap --fsync=16 --fallocate=none --bsrange=4k-64k
  on $side verified pvsync2 --rw=randrw --end_fsync=1
done
