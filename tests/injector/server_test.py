"""The HTTPS server: what it answers, what it does not put up with, certificates, shutdown.

    server_test.py INJECTOR LOAD_GENERATOR"""
import base64
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

from injector_program import Server, free_port, make_certificates, review_of

INJECTOR, LOAD = sys.argv[1:3]
JSON = {"Content-Type": "application/json"}


class ServerTest(unittest.TestCase):
    OPTIONS = ("--native-sidecars=yes",)

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        make_certificates(INJECTOR, cls.directory / "tls")
        cls.log = cls.enterClassContext(open(cls.directory / "log", "w+", encoding="utf-8"))
        cls.server = Server(INJECTOR, cls.directory / "tls", *cls.OPTIONS, log=cls.log)

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.log.seek(0)
        log = cls.log.read()
        assert status == 0, (status, log[-4000:])
        assert "Sanitizer" not in log, log[-4000:]

    def check_alive(self):
        self.assertEqual(200, self.server.request("GET", "/healthz")[0])


class Answers(ServerTest):
    def test_review(self):
        status, headers, body = self.server.mutate(review_of("deployment"))
        self.assertEqual((200, "application/json"), (status, headers["Content-Type"]))
        response = json.loads(body)["response"]
        self.assertTrue(response["allowed"])
        self.assertIn("/spec/initContainers/0", [op["path"] for op in json.loads(base64.b64decode(response["patch"]))])

    def test_refusal_is_an_answer(self):
        status, _, body = self.server.mutate(review_of("refused-no-such-volume"))
        self.assertEqual(200, status)
        self.assertFalse(json.loads(body)["response"]["allowed"])

    def test_content_type_with_parameters(self):
        self.assertEqual(200, self.server.mutate(review_of("deployment"), "Application/JSON; charset=utf-8")[0])

    def test_many_on_one_connection(self):
        with contextlib.closing(self.server.connection()) as connection:
            for _ in range(50):
                connection.request("POST", "/mutate", review_of("untouched-plain"), JSON)
                response = connection.getresponse()
                self.assertEqual((200, False), (response.status, response.will_close))
                self.assertEqual({"allowed": True, "uid": "u"}, json.loads(response.read())["response"])

    def test_chunked_body(self):
        text = review_of("deployment").encode()
        pieces = (text[i:i + 100] for i in range(0, len(text), 100))
        status, _, _ = self.server.request("POST", "/mutate", pieces, JSON)
        self.assertEqual(200, status)

    def test_expect_continue(self):
        text = review_of("deployment").encode()
        with self.server.tls() as s:
            s.sendall(b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(text))
            self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 100 Continue"))
            s.sendall(text)
            self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 OK"))

    def test_health(self):
        for target in ("/healthz", "/readyz", "/readyz?verbose"):
            self.assertEqual((200, "ok\n"), self.server.request("GET", target)[::2])

    def test_http_1_0(self):
        with self.server.tls() as s:
            s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := s.recv(4096):
                answer += piece
            self.assertTrue(answer.endswith(b"ok\n"), answer)


class BadInput(ServerTest):
    OPTIONS = ("--native-sidecars=yes", "--max-body=64K", "--timeout=1")

    def check_reply(self, wanted, reply, *words):
        status, headers, body = reply
        self.assertEqual(wanted, status, body)
        self.assertEqual("text/plain; charset=utf-8", headers["Content-Type"])
        self.assertTrue(body.endswith("\n") and body.count("\n") == 1, body)
        for word in words:
            self.assertIn(word, body)

    def test_method_path_and_type(self):
        self.check_reply(405, self.server.request("GET", "/mutate"), "POST")
        self.check_reply(405, self.server.request("PUT", "/mutate", "{}", JSON), "POST")
        self.check_reply(405, self.server.request("POST", "/healthz", "{}", JSON), "GET")
        self.assertEqual("POST", self.server.request("DELETE", "/mutate")[1]["Allow"])
        self.check_reply(404, self.server.request("POST", "/mutate/x", "{}", JSON), "/mutate")
        self.check_reply(415, self.server.mutate("{}", "text/yaml"), "application/json")
        self.check_reply(415, self.server.request("POST", "/mutate", "{}", {"Content-Type": ""}), "application/json")

    def test_not_a_review(self):
        good = json.loads(review_of("deployment"))
        self.check_reply(400, self.server.mutate("{"), "not JSON")
        self.check_reply(400, self.server.mutate(""), "not JSON")
        self.check_reply(400, self.server.mutate("[]"), "AdmissionReview")
        self.check_reply(400, self.server.mutate(b'{"kind":"\xff"}'), "not JSON")
        self.check_reply(400, self.server.mutate(json.dumps({**good, "kind": "Pod"})), "AdmissionReview")
        self.check_reply(400, self.server.mutate(json.dumps({**good, "apiVersion": "admission.k8s.io/v1beta1"})), "v1")
        self.check_reply(400, self.server.mutate(json.dumps({**good, "request": {}})), "uid")
        self.check_reply(400, self.server.mutate("[" * 5000), "nested")
        self.check_alive()

    def test_too_large(self):
        self.check_reply(413, self.server.mutate(" " * (64 * 1024 + 1)), "65536")
        self.check_reply(413, self.server.mutate(" " * (8 << 20)), "65536")
        pieces = (b" " * 1024 for _ in range(200))
        self.check_reply(413, self.server.request("POST", "/mutate", pieces, JSON))
        self.check_reply(431, self.server.request("GET", "/healthz", headers={"X": "x" * 20000}), "header")
        self.check_alive()

    def test_largest(self):
        text = review_of("deployment")
        self.assertEqual(200, self.server.mutate(text + " " * (64 * 1024 - len(text)))[0])

    def test_not_http(self):
        for garbage in (b"\x00" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /mutate HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                        b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            with self.subTest(garbage), self.server.tls() as s:
                s.sendall(garbage)
                self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 400 "), garbage)
        self.check_alive()

    def test_tls_garbage(self):
        for garbage in (b"GET /healthz HTTP/1.1\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + os.urandom(70000),
                        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"):
            with self.subTest(garbage[:20]), socket.create_connection(("127.0.0.1", self.server.port), 30) as s:
                with contextlib.suppress(OSError):
                    s.sendall(garbage)
                    while s.recv(4096):
                        pass
        self.check_alive()

    def test_old_tls_is_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", self.server.port), 30) as raw:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(raw)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", self.server.port), 30) as raw:
            with context.wrap_socket(raw) as s:
                self.assertEqual("TLSv1.2", s.version())

    def check_cut(self, s, since):
        """The server hangs up, neither at once nor much later than its second."""
        s.settimeout(30)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while s.recv(4096):
                pass
        self.assertGreater(time.monotonic() - since, 0.5)
        self.assertLess(time.monotonic() - since, 20)

    def test_slow_handshake(self):
        since = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.server.port), 30) as s:
            self.check_cut(s, since)

    def test_silent_after_the_handshake(self):
        since = time.monotonic()
        with self.server.tls() as s:
            self.check_cut(s, since)

    def test_slow_header(self):
        self.check_slow(b"POST /mutate HTTP/1.1\r\n", b"X-%d: x\r\n")

    def test_slow_body(self):
        self.check_slow(b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", b"%d")

    def check_slow(self, begin, drop):
        """A byte now and then does not make the time begin anew."""
        since = time.monotonic()
        with self.server.tls() as s:
            s.sendall(begin)
            with contextlib.suppress(OSError):
                for i in range(100):
                    s.sendall(drop % i)
                    time.sleep(0.2)
                    s.settimeout(0.001)
                    with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                        if not s.recv(4096):
                            break
                    s.settimeout(30)
        self.assertLess(time.monotonic() - since, 15)
        self.check_alive()

    def test_client_that_reads_nothing_and_one_that_leaves(self):
        text = review_of("deployment").encode()
        with self.server.tls() as s:
            with contextlib.suppress(OSError):
                for _ in range(2000):
                    s.sendall(b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" %
                              len(text) + text)
        for cut in (1, 20, 200):
            with self.server.tls() as s:
                s.sendall(b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"[:cut])
        self.check_alive()


class Connections(ServerTest):
    OPTIONS = ("--native-sidecars=yes", "--max-connections=4", "--timeout=30")

    def test_more_than_there_may_be_wait(self):
        held = [self.server.tls() for _ in range(4)]
        fifth = concurrent.futures.ThreadPoolExecutor(1)
        answer = fifth.submit(self.server.request, "GET", "/healthz")
        with self.assertRaises(concurrent.futures.TimeoutError):
            answer.result(0.5)
        held[0].close()
        self.assertEqual(200, answer.result(30)[0])
        for s in held:
            s.close()


class Load(ServerTest):
    def test_many_at_once(self):
        file = self.directory / "review.json"
        file.write_text(review_of("deployment"))
        run = subprocess.run([LOAD, "127.0.0.1", str(self.server.port), file, "100", "2"], capture_output=True,
                             text=True, timeout=120, check=False)
        print(run.stdout.strip())
        self.assertEqual(0, run.returncode, run.stdout + run.stderr)


class Certificates(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("old", "new", "other"):
            make_certificates(INJECTOR, self.directory / name)
        # As the kubelet mounts a Secret: names are links through ..data, which is swapped.
        self.mounted = self.directory / "mounted"
        self.mounted.mkdir()
        self.swap("old")
        for name in ("tls.crt", "tls.key"):
            (self.mounted / name).symlink_to(f"..data/{name}")

    def swap(self, name):
        shutil.copytree(self.directory / name, self.mounted / f"..{name}", dirs_exist_ok=True)
        (self.mounted / "..data_tmp").symlink_to(f"..{name}")
        (self.mounted / "..data_tmp").rename(self.mounted / "..data")

    def trusts(self, server, name):
        try:
            server.tls(self.directory / name / "ca.crt").close()
            return True
        except ssl.SSLCertVerificationError:
            return False

    def wait_for(self, condition):
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def test_new_certificate_without_restart(self):
        with open(self.directory / "log", "w+", encoding="utf-8") as log:
            server = Server(INJECTOR, self.mounted, "--native-sidecars=yes", log=log)
            self.addCleanup(server.kill)
            self.assertTrue(self.trusts(server, "old"))
            kept = server.connection(self.directory / "old" / "ca.crt")
            self.swap("new")
            self.wait_for(lambda: self.trusts(server, "new"))
            self.assertFalse(self.trusts(server, "old"))
            # A connection that was there is answered, and then closed.
            kept.request("POST", "/mutate", review_of("deployment"), JSON)
            response = kept.getresponse()
            self.assertEqual((200, True), (response.status, response.will_close))
            kept.close()
            # Files that do not belong together: the old ones stay in use, and the log says so.
            shutil.copy(self.directory / "other" / "tls.crt", self.mounted / "..new" / "tls.crt")
            self.wait_for(lambda: "stays in use" in (self.directory / "log").read_text())
            self.assertTrue(self.trusts(server, "new"))
            shutil.copy(self.directory / "other" / "tls.key", self.mounted / "..new" / "tls.key")
            self.wait_for(lambda: self.trusts(server, "other"))
            self.assertEqual(0, server.stop())

    def test_refused_at_the_start(self):
        (self.directory / "new" / "tls.key").write_text((self.directory / "old" / "tls.key").read_text())
        (self.directory / "other" / "tls.crt").write_text("nonsense")
        for name in ("new", "other", "missing"):
            with self.subTest(name):
                run = subprocess.run([INJECTOR, "serve", "--listen", f"127.0.0.1:{free_port()}", "--native-sidecars=yes",
                                      "--tls-cert", self.directory / name / "tls.crt",
                                      "--tls-key", self.directory / name / "tls.key"],
                                     capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual((1, 1), (run.returncode, run.stderr.count("\n")), run.stderr)
                self.assertIn(str(self.directory / name), run.stderr)


class Life(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        make_certificates(INJECTOR, self.directory)

    def start(self, *options):
        server = Server(INJECTOR, self.directory, "--native-sidecars=yes", *options)
        self.addCleanup(server.kill)
        return server

    def test_request_under_way_is_answered_after_sigterm(self):
        server = self.start("--timeout=30")
        text = review_of("deployment").encode()
        idle = server.tls()
        with server.tls() as s:
            s.sendall(b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text))
            time.sleep(0.3)  # for the header to have arrived: nothing shows it
            ended = []
            stopper = threading.Thread(target=lambda: ended.append(server.stop()))
            stopper.start()
            self.assertEqual(b"", idle.recv(1))  # idle ones are let go at once
            idle.close()
            with self.assertRaises(OSError):
                server.tls()
            s.sendall(text)
            answer = s.recv(65536)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
            self.assertIn(b"Connection: close", answer)
            s.close()
            stopper.join(30)
        self.assertEqual([0], ended)

    def test_drain_has_an_end(self):
        server = self.start("--timeout=300", "--drain=1")
        with server.tls() as s:
            s.sendall(b"POST /mutate HTTP/1.1\r\n")
            time.sleep(0.3)
            since = time.monotonic()
            self.assertEqual(0, server.stop())
            self.assertGreater(time.monotonic() - since, 0.7)

    def test_metrics(self):
        port = free_port()
        server = self.start(f"--metrics=127.0.0.1:{port}")
        for name, times in (("deployment", 3), ("untouched-plain", 2), ("refused-windows", 1)):
            for _ in range(times):
                server.mutate(review_of(name))
        server.mutate("x")
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
        counts = dict(re.findall(r'^ocfsgw_injector_reviews_total\{verdict="(\w+)"\} (\d+)$', text, re.MULTILINE))
        self.assertEqual({"injected": "3", "untouched": "2", "refused": "1", "malformed": "1"}, counts)
        self.assertRegex(text, r"(?m)^ocfsgw_injector_certificate_end_seconds \d{10}$")

    def test_address_taken(self):
        server = self.start()
        run = subprocess.run([INJECTOR, "serve", "--listen", f"127.0.0.1:{server.port}", "--native-sidecars=yes",
                              "--tls-cert", self.directory / "tls.crt", "--tls-key", self.directory / "tls.key"],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(1, run.returncode)
        self.assertIn("--listen", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
