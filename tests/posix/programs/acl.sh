#!/usr/bin/env bash
# acl.sh BARE GATEWAY: what default ACLs give to new files, whatever the umask, and whom ACLs let in.
. "$(dirname "$0")/lib.sh"
need setfacl getfacl setpriv mkfifo tar
chmod 0755 "$bare" "$gateway"

inheritance() {
  local mask
  mkdir "$1" && cd "$1"
  setfacl -d -m "$2" .
  for mask in 000 022 027 077; do
    umask $mask
    mkdir dir-$mask
    : >file-$mask
    : >dir-$mask/file
    install -m 0664 /dev/null installed-$mask
    ln -s file-$mask link-$mask
    mkfifo fifo-$mask
    mknod device-$mask c 1 3
    /usr/bin/python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('socket-$mask')"
    cp file-$mask copy-$mask
    tar -cf - file-$mask | tar --no-same-permissions -C dir-$mask -xf -
  done
  manifest . --without mtime
}

as_user() { setpriv --reuid "$1" --regid "$2" --clear-groups "${@:3}"; }
can() { if "$@" 2>/dev/null; then echo "may: ${*:2}"; else echo "may not: ${*:2}"; fi; }

# User and group 12, and 99 that no entry names, try everything.
access() {
  local path user
  mkdir access && cd access && chmod 0711 .
  echo >by-user && chmod 0600 by-user && setfacl -m u:12:rw by-user
  echo >by-group && chmod 0600 by-group && setfacl -m g:12:r by-group
  echo >masked && chmod 0600 masked && setfacl -m u:12:rw,m::r masked
  echo >not-this-user && chmod 0644 not-this-user && setfacl -m u:12:- not-this-user
  echo >not-the-group && chown 0:99 not-the-group && chmod 0660 not-the-group && setfacl -m u:12:rw,g::- not-the-group
  mkdir dir && chmod 0700 dir && echo >dir/file && setfacl -m u:12:rx dir
  mkdir drop && chmod 0700 drop && setfacl -m g:12:wx drop
  for user in 12 99; do
    for path in by-user by-group masked not-this-user not-the-group dir/file; do
      can as_user $user $user sh -c 'cat "$0"' $path
      can as_user $user $user sh -c 'echo >>"$0"' $path
      can as_user $user $user test -r $path -a -w $path
    done
    can as_user $user $user ls dir
    can as_user $user $user touch drop/by-$user
    can as_user $user $user ls drop
    can as_user $user $user setfacl -m u:99:rwx by-user
  done
  # A change is in force at once.
  can as_user 12 12 cat by-user
  setfacl -x u:12 by-user
  can as_user 12 12 cat by-user
  setfacl -m u:99:r by-user
  can as_user 99 99 cat by-user
  chmod g-r by-user
  can as_user 99 99 cat by-user
  getfacl --omit-header -n by-user
}

both access
both inheritance named u:12:rwx,g:34:rx,o::-
both inheritance plain u::rwx,g::rwx,o::rx
