# Sourced by every script here, as `. lib.sh`. Takes the script's two arguments and makes a directory for it in each:
#   $bare, $gateway   where the program works; removed at the end, like
#   $scratch          for what is to be on neither of them
#   $name             the script's, for its messages
# Exit status of a script: 0 the program behaved the same, 1 not (one line says what differs), 77 not installed.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

name=$(basename "$0" .sh)
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 2 ] || [ ! -d "$1" ] || [ ! -d "$2" ]; then
  echo "usage: $0 BARE_DIRECTORY GATEWAY_DIRECTORY" >&2
  exit 1
fi
bare=$(mktemp -d "$(realpath "$1")/$name.XXXXXX")
gateway=$(mktemp -d "$(realpath "$2")/$name.XXXXXX")
scratch=$(mktemp -d)
clean_up() { rm -rf "$scratch" "$bare" "$gateway"; }
trap clean_up EXIT

differs() {
  printf '%s: %s\n' "$name" "$(tr '\n' ' ' <<<"$*" | cut -c1-400)" >&2
  exit 1
}

need() {
  local program
  for program; do
    command -v "$program" >"$scratch/found" && continue
    echo "SKIPPED $name: $program is not installed" >&2
    exit 77
  done
}

# on SIDE COMMAND...: runs it in that directory (bare or gateway); it has to succeed. Its output is in $scratch/SIDE.out.
on() {
  local side=$1 status
  shift
  set +e    # not `if (...)`: bash would ignore set -e in there
  (set -e; cd "${!side}"; "$@") >"$scratch/$side.out" 2>"$scratch/$side.err" </dev/null
  status=$?
  set -e
  [ $status -eq 0 ] || differs "'$*' fails on $side with $status: $(tail -n 3 "$scratch/$side.err" "$scratch/$side.out")"
}

# both COMMAND...: in either directory, with the same output.
both() {
  on bare "$@"
  on gateway "$@"
  diff "$scratch/bare.out" "$scratch/gateway.out" >"$scratch/diff" ||
    differs "'$*' is not the same on bare (<) and gateway (>): $(sed -n '/^[<>]/p' "$scratch/diff" | head -n 4)"
}

manifest() { /usr/bin/python3 -B "$here/manifest.py" "$@"; }
