"""Runs the injector's program for tests: certificates, a free port, HTTPS requests to it."""
import contextlib
import http.client
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import time

import yaml

PODS = pathlib.Path(__file__).resolve().parent / "pods"
NAME = "injector.gw.svc"
START_SECONDS = 60


def review_of(name):
    """An AdmissionReview, as text, for a file of pods/."""
    pod = yaml.safe_load((PODS / f"{name}.yaml").read_text())
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                       "request": {"uid": "u", "operation": "CREATE", "namespace": "shop", "object": pod,
                                   "kind": {"group": "", "version": "v1", "kind": "Pod"}}})


def make_certificates(program, directory, service="injector"):
    subprocess.run([program, "bootstrap", "--namespace", "gw", "--service", service, "--out", directory], check=True,
                   stderr=subprocess.DEVNULL, timeout=60)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """`ocfsgw-injector serve`, ended by SIGTERM."""

    def __init__(self, program, certificates, *options, log=None):
        self.port = free_port()
        self.certificates = pathlib.Path(certificates)
        self.process = subprocess.Popen(
            [program, "serve", "--listen", f"127.0.0.1:{self.port}", "--tls-cert", self.certificates / "tls.crt",
             "--tls-key", self.certificates / "tls.key", *(options or ("--native-sidecars=yes",))], stderr=log)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.kill()
                    raise RuntimeError(f"the server did not start: {self.process.returncode}")
                time.sleep(0.02)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def stop(self):
        """Its exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def tls(self, ca=None):
        context = ssl.create_default_context(cafile=ca or self.certificates / "ca.crt")
        raw = socket.create_connection(("127.0.0.1", self.port), 30)
        return context.wrap_socket(raw, server_hostname=NAME)

    def connection(self, ca=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.sock = self.tls(ca)
        return connection

    def request(self, method, target, body=None, headers=None):
        """(status, headers, body) over a connection of its own."""
        connection = self.connection()
        with contextlib.closing(connection):
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()

    def mutate(self, body, content_type="application/json"):
        return self.request("POST", "/mutate?timeout=10s", body, {"Content-Type": content_type})
