#!/usr/bin/env bash
# php.sh BARE GATEWAY: PHP's own web server over a site with file sessions and opcache: concurrent requests of one
# session are all counted, a changed file is run by the next request.
# OCFSGW_PHP_REQUESTS: of each of the eight clients.
. "$(dirname "$0")/lib.sh"
need php pgrep /usr/bin/python3
requests=${OCFSGW_PHP_REQUESTS:-40}

server=
stop_server() {
  [ -z "$server" ] && return
  kill -KILL -- "-$server"    # its workers, too
  wait "$server" 2>"$scratch/err" || true  # of the signal
  # Or they keep the mount in use. (Whoever inherits them may let zombies be.)
  while pgrep -g "$server" -r D,R,S,T >"$scratch/left"; do sleep 0.02; done
  server=
}
trap 'stop_server; clean_up' EXIT

site() {
  mkdir site sessions site/lib
  cat >site/count.php <<'P'
<?php
require __DIR__ . '/lib/config.php';
session_start();
$_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
$_SESSION['padding'] = str_repeat('x', $_SESSION['count'] * 13 % 9000);
echo $_SESSION['count'];
P
  echo '<?php return 1;' >site/lib/config.php
  echo '<?php require "lib/version.php"; echo version(), " ", strlen(file_get_contents(__DIR__ . "/data.txt"));' >site/version.php
  cat >site/cached.php <<'P'
<?php
$scripts = function_exists('opcache_get_status') ? opcache_get_status()['scripts'] : [];
echo isset($scripts[__DIR__ . '/lib/version.php']) ? 'cached' : 'not cached';
P
  # opcache compares seconds, so every version gets another one.
  for version in 1 2 3 4 5 6; do
    echo "<?php function version() { return $version; }" >"version-$version"
    touch -d "2020-01-01 00:00:0$version" "version-$version"
  done
  cp -p version-1 site/lib/version.php
  printf 1 >site/data.txt
}

start_server() {
  local port
  port=$(/usr/bin/python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
  PHP_CLI_SERVER_WORKERS=4 exec php -S "127.0.0.1:$port" -t site -d session.save_path="$PWD/sessions" \
    -d session.gc_probability=0 -d session.use_strict_mode=0 -d opcache.enable=1 -d opcache.validate_timestamps=1 -d opcache.revalidate_freq=0
}

for side in bare gateway; do
  on $side site
  cd "${!side}"
  set -m    # a process group for the server
  start_server >"$scratch/server" 2>&1 </dev/null &
  server=$!
  set +m
  cd /
  /usr/bin/python3 -B "$here/php_clients.py" "$scratch/server" "${!side}" "$requests" >"$scratch/$side.result" 2>"$scratch/err" ||
    differs "on $side: $(tail -n 1 "$scratch/err")"
  stop_server
done
cmp -s "$scratch/bare.result" "$scratch/gateway.result" ||
  differs "bare: $(cat "$scratch/bare.result"); gateway: $(cat "$scratch/gateway.result")"
