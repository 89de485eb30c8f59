#!/usr/bin/env bash
# copy.sh BARE GATEWAY: a tree with all kinds of files and attributes is made on both, and taken from one to the other
# and back by cp, tar and rsync; every byte and attribute is to be as natively.
. "$(dirname "$0")/lib.sh"
need setfacl setfattr setcap mkfifo mknod rsync tar

make_tree() {
  local i
  mkdir tree && cd tree
  mkdir -p plain/deep/er odd links special rights times xattrs acls
  for i in {1..120}; do
    yes "line $i" | head -c $((i * i * 31 % 70000)) >"plain/deep/er/$i" || true   # yes dies of SIGPIPE
  done
  : >plain/empty

  : >"odd/ blank " && : >$'odd/new\nline' && : >$'odd/\xff\xfe not utf-8' && : >'odd/-rf' && : >'odd/*?[a]\'
  : >"odd/$(printf '%0255d' 0)" && mkdir 'odd/...' && : >'odd/.../ünïcödé'

  for i in 1 2 3; do ln plain/deep/er/7 "links/hard $i"; done
  ln -s ../plain/deep/er/7 links/good
  ln -s nowhere links/dangling
  ln -s "$(printf '%04000d' 0)" links/long
  ln -s . links/itself
  ln links/dangling links/dangling-too

  mkfifo -m 0640 special/fifo
  mknod -m 0600 special/char c 1 3
  mknod -m 0660 special/block b 259 70000
  ln special/fifo special/fifo-too
  chown 12:34 special/char

  for i in 0000 0111 0444 0666 0755 2755 4711 6777 1644; do : >rights/$i; chmod $i rights/$i; done
  for i in 0500 0777 1777 2775 3770; do mkdir rights/dir-$i; chmod $i rights/dir-$i; done
  : >rights/owner && chown 65534:4294967294 rights/owner
  cp /bin/true rights/capable && setcap cap_net_raw,cap_net_bind_service=ep rights/capable

  # Where in the file the data are: at the beginning, in the middle, at the end, nowhere.
  printf data >plain/holes-1 && truncate -s 1M plain/holes-1
  truncate -s 3M plain/holes-2 && printf data | dd of=plain/holes-2 bs=1 seek=1048576 conv=notrunc status=none
  printf data | dd of=plain/holes-3 bs=1 seek=2097152 status=none
  truncate -s 5000001 plain/holes-4

  : >xattrs/file && ln -s file xattrs/link && mkdir xattrs/dir && mkfifo xattrs/fifo
  setfattr -n user.empty xattrs/file
  setfattr -n user.text -v 'some text' xattrs/file
  setfattr -n user.binary -v 0x00ff000a xattrs/file
  setfattr -n user.long -v "$(printf '%01500d' 0)" xattrs/dir
  setfattr -n trusted.here -v root xattrs/file
  setfattr -h -n trusted.link -v link xattrs/link
  setfattr -n trusted.fifo -v fifo xattrs/fifo
  setfattr -n user.gone -v x xattrs/file && setfattr -x user.gone xattrs/file

  : >acls/file && setfacl -m u:12:rw,g:34:r,m::rx acls/file
  mkdir acls/dir && setfacl -m u:12:rwx -d -m u:12:rwx,g:34:rx,o::- acls/dir
  : >acls/dir/below && setfacl -b acls/dir/below && chmod 0604 acls/dir/below
  : >acls/removed && setfacl -m u:12:rw acls/removed && setfacl -b acls/removed
  : >acls/chmod && setfacl -m u:12:rwx acls/chmod && chmod 0640 acls/chmod
  cp -p acls/file acls/copied

  : >times/ns && : >times/old && : >times/far && ln -s ns times/link
  touch -d '2001-02-03 04:05:06.123456789Z' times/ns
  touch -d '1930-01-01 00:00:00.000000001Z' times/old
  touch -d '2100-12-31 23:59:59.999999999Z' times/far
  touch -h -d '2010-10-10 10:10:10.101010101Z' times/link
  # Everything else, directories last: what is made in them changes their times.
  find . -depth -not -path './times/*' -exec touch -h -d '2020-02-20 20:20:20.202020202Z' {} +
}

by_cp() { cp -a "$1" "$2"; }
by_cp_sparse() { cp -a --sparse=always "$1" "$2"; }
by_tar() {
  mkdir "$2"
  tar -C "$1" -cf - --format=posix --xattrs --xattrs-include='*' --acls --numeric-owner --sparse . |
    tar -C "$2" -xpf - --xattrs --xattrs-include='*' --acls --numeric-owner
}
by_rsync() { rsync -aHAXS --numeric-ids "$1/" "$2"; }

# manifests_equal WHAT A B
manifests_equal() {
  manifest "$2" >"$scratch/a" 2>&1
  manifest "$3" >"$scratch/b" 2>&1
  cmp -s "$scratch/a" "$scratch/b" && return
  diff "$scratch/a" "$scratch/b" >"$scratch/diff" || true
  differs "$1: $(sed -n '/^[<>]/p' "$scratch/diff" | head -n 4) ($(grep -c '^[<>]' "$scratch/diff") lines)"
}

both make_tree
manifests_equal "the tree as made: bare (<), gateway (>)" "$bare/tree" "$gateway/tree"

for way in by_cp by_cp_sparse by_tar by_rsync; do
  on bare $way tree $way                                # natively
  on gateway $way "$bare/tree" $way                     # in
  on gateway $way $way $way-within
  on bare $way "$gateway/$way-within" $way-back         # out
  on bare $way $way $way-twice                          # a program may lose something each time
  manifests_equal "$way to the gateway: native copy (<), copy (>)" "$bare/$way" "$gateway/$way"
  manifests_equal "$way within the gateway: native copy (<), copy (>)" "$bare/$way-twice" "$gateway/$way-within"
  manifests_equal "$way from the gateway: native copy (<), copy (>)" "$bare/$way-twice" "$bare/$way-back"
done
