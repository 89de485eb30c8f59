"""The side that makes and changes the sample tree behind the gateway's back: in this process, or on another node."""
import json
import socket
import time

import sample_tree
import tree_scan

PORT = 7801
CONNECT_SECONDS = 60


class Writer:
    """Works on `root` directly, never through a gateway."""

    def __init__(self, root, files):
        self.tree = sample_tree.SampleTree(root, files)

    def make(self):
        self.tree.make()

    def change(self, kind):
        """Makes one change and has returned from every system call of it; gives (paths touched, their true records)."""
        paths = self.tree.change(kind)
        return paths, tree_scan.scan_paths(self.tree.root, paths).records

    def scan(self):
        found = tree_scan.scan(self.tree.root)
        return found.records, found.seconds


def serve(root, files):
    """Does what one RemoteWriter asks for, until it hangs up. One JSON array a line: [method, argument...]."""
    writer = Writer(root, files)
    with socket.create_server(("", PORT)) as server:
        connection, _ = server.accept()
    with connection, connection.makefile("rw") as stream:
        for line in stream:
            method, *arguments = json.loads(line)
            stream.write(json.dumps(getattr(writer, method)(*arguments)) + "\n")
            stream.flush()


class RemoteWriter:
    def __init__(self, address):
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                self.socket = socket.create_connection((address, PORT), timeout=10)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.socket.settimeout(300)
        self.stream = self.socket.makefile("rw")

    def ask(self, *request):
        self.stream.write(json.dumps(request) + "\n")
        self.stream.flush()
        line = self.stream.readline()
        if not line:
            raise ConnectionError("the writer's node has gone")
        return json.loads(line)

    def make(self):
        self.ask("make")

    def change(self, kind):
        return self.ask("change", kind)

    def scan(self):
        return self.ask("scan")

    def close(self):
        self.stream.close()
        self.socket.close()
