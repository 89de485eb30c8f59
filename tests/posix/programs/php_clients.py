"""Asks PHP's web server what php.sh wants to know, and prints it.

    php_clients.py SERVER_OUTPUT SITE REQUESTS"""
import concurrent.futures
import http.client
import os
import pathlib
import re
import shutil
import sys
import time

CLIENTS = 8
START_S = 20
REQUEST_S = 30


def port_of(output):
    """The server says where it listens, as soon as it does."""
    end = time.monotonic() + START_S
    while not (found := re.search(r"http://127.0.0.1:(\d+)\) started", output.read_text())):
        if time.monotonic() > end:
            sys.exit("the server does not start: " + output.read_text()[-300:])
        time.sleep(0.02)
    return int(found[1])


def get(port, path, session="none"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_S)
    connection.request("GET", path, headers={"Cookie": f"PHPSESSID={session}"})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    if response.status != 200 or "Warning" in body:
        sys.exit(f"{path}: {response.status} {body[:200]}")
    return body


def count(port, requests):
    """All clients share a session, which the server locks by flock(2): each number is given once."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda _: int(get(port, "/count.php", "shared")), range(CLIENTS * requests)))
        if sorted(answers) != list(range(1, CLIENTS * requests + 1)):
            sys.exit(f"session counter: {len(set(answers))} numbers up to {max(answers)} in {len(answers)} requests")
        own = list(clients.map(lambda i: [int(get(port, "/count.php", f"own{i}")) for _ in range(requests)], range(CLIENTS)))
    if any(answers != list(range(1, requests + 1)) for answers in own):
        sys.exit(f"counters of sessions with one client each: {own}")
    print("sessions count", len(answers) + sum(map(len, own)))


def replace(site, version):
    shutil.copy2(site / f"version-{version}", site / "site/lib/new")
    os.rename(site / "site/lib/new", site / "site/lib/version.php")


def overwrite(site, version):
    shutil.copy2(site / f"version-{version}", site / "site/lib/version.php")


def change(port, site):
    for version in range(1, 7):
        if version > 1:
            (replace if version % 2 else overwrite)(site, version)
            (site / "site/data.txt").write_text("x" * version)
        for again in range(8):      # all workers
            expected = f"{version} {version}"
            if (got := get(port, "/version.php")) != expected:
                sys.exit(f"request {again} after the change to version {expected!r} got {got!r}")
        print("version", version, get(port, "/cached.php"))


if __name__ == "__main__":
    listening = port_of(pathlib.Path(sys.argv[1]))
    change(listening, pathlib.Path(sys.argv[2]))
    count(listening, int(sys.argv[3]))
