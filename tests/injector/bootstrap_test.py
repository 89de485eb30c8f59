"""bootstrap, and the question for the cluster's version, against a small API on loopback.

    bootstrap_test.py INJECTOR"""
import base64
import datetime
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

from fake_api import SECRETS, TOKEN, WEBHOOK, FakeApi
from injector_program import Server, make_certificates

INJECTOR = sys.argv[1]
SECRET = SECRETS + "/tls"
WRITES = ("POST", "PUT", "PATCH")


class BootstrapTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        make_certificates(INJECTOR, self.directory / "api", "localhost")
        self.account = self.directory / "account"
        self.account.mkdir()
        (self.account / "token").write_text(TOKEN + "\n")
        (self.account / "ca.crt").write_bytes((self.directory / "api" / "ca.crt").read_bytes())
        self.api = FakeApi(self.directory / "api")
        self.addCleanup(self.api.stop)

    def environment(self):
        return {**os.environ, "KUBERNETES_SERVICE_HOST": "localhost", "KUBERNETES_SERVICE_PORT": str(self.api.port)}

    def run_bootstrap(self, *options, **environment):
        self.api.calls.clear()
        return subprocess.run([INJECTOR, "--service-account", self.account, "bootstrap", "--namespace", "gw", "--service",
                               "injector", "--secret", "tls", "--webhook", "ocfsgw", *options],
                              env={**self.environment(), **environment}, capture_output=True, text=True, timeout=120,
                              check=False)

    def bootstrap(self, *options):
        run = self.run_bootstrap(*options)
        self.assertEqual(0, run.returncode, run.stderr)
        return run

    def fails(self, code, *words, **environment):
        run = self.run_bootstrap(**environment)
        self.assertEqual(code, run.returncode, run.stderr)
        for word in words:
            self.assertIn(word, run.stderr)
        self.assertNotIn(TOKEN, run.stderr)

    def writes(self):
        return [call for call in self.api.calls if call.startswith(WRITES)]

    def data(self, name):
        return base64.b64decode(self.api.secret["data"][name]).decode()

    def bundle(self, index=1):
        return base64.b64decode(self.api.webhook["webhooks"][index]["clientConfig"]["caBundle"]).decode()

    def check_consistent(self):
        """What the API would do: trust the bundle, and call the Service."""
        self.assertEqual(self.data("ca.crt"), self.bundle())
        for name in ("tls.crt", "tls.key", "ca.crt"):
            (self.directory / name).write_text(self.data(name))
        server = Server(INJECTOR, self.directory, "--native-sidecars=no", "--log-level=warning")
        self.addCleanup(server.kill)
        self.assertEqual(200, server.request("GET", "/healthz")[0])
        self.assertEqual(0, server.stop())

    def days_left(self):
        (self.directory / "cert.pem").write_text(self.data("tls.crt"))
        end = ssl._ssl._test_decode_cert(str(self.directory / "cert.pem"))["notAfter"]
        return (datetime.datetime.strptime(end, "%b %d %H:%M:%S %Y %Z") - datetime.datetime.utcnow()).days


class Works(BootstrapTest):
    def test_first_time_and_again(self):
        self.bootstrap()
        self.assertEqual([f"POST {SECRETS}", f"PATCH {WEBHOOK}"], self.writes())
        self.assertEqual("kubernetes.io/tls", self.api.secret["type"])
        self.assertEqual("other", self.bundle(0), "not our webhook's")
        self.check_consistent()
        self.assertIn(self.days_left(), (364, 365))
        self.bootstrap()
        self.assertEqual([], self.writes())

    def test_bundle_that_somebody_took_away(self):
        self.bootstrap()
        del self.api.webhook["webhooks"][1]["clientConfig"]["caBundle"]
        self.bootstrap()
        self.assertEqual([f"PATCH {WEBHOOK}"], self.writes())
        self.check_consistent()

    def test_renewal_keeps_the_old_ca_until_the_next(self):
        self.bootstrap("--days", "20", "--renew-before", "10")
        old_ca, old_cert = self.data("ca.crt"), self.data("tls.crt")
        self.bootstrap("--days", "300", "--renew-before", "30")
        self.assertEqual([f"PATCH {WEBHOOK}", f"PUT {SECRET}"], self.writes(), "trust first")
        self.assertNotEqual(old_cert, self.data("tls.crt"))
        self.assertEqual(2, self.data("ca.crt").count("BEGIN CERTIFICATE"))
        self.assertTrue(self.data("ca.crt").endswith(old_ca))
        self.check_consistent()
        self.bootstrap("--days", "3650", "--renew-before", "1000")
        self.assertEqual(2, self.data("ca.crt").count("BEGIN CERTIFICATE"))
        self.assertNotIn(old_ca, self.data("ca.crt"))
        self.check_consistent()

    def test_secret_that_is_no_good(self):
        self.bootstrap()
        good = dict(self.api.secret["data"])
        other = self.directory / "api"
        for spoilt in ({}, {**good, "tls.key": ""}, {**good, "ca.crt": "!!!"}, {**good, "tls.crt": "bm9uc2Vuc2U="},
                       {name: base64.b64encode((other / name).read_bytes()).decode() for name in good}):
            with self.subTest(list(spoilt)):
                self.api.secret["data"] = spoilt
                self.bootstrap()
                self.assertIn(f"PUT {SECRET}", self.writes())
                self.check_consistent()

    def test_two_at_once(self):
        """Another replica makes the Secret between our look and our attempt; then it changes the configuration."""
        self.bootstrap()
        theirs, self.api.secret = self.api.secret, None
        met = []

        def meet(method, path):
            if (method, path) == ("POST", SECRETS) and not met:
                met.append(path)
                self.api.secret = theirs
            if method == "PATCH" and len(met) == 1:
                met.append(path)
                self.api.webhook["metadata"]["resourceVersion"] = "77"

        self.api.webhook["webhooks"][1]["clientConfig"]["caBundle"] = ""
        self.api.answer = meet
        self.bootstrap()
        self.assertEqual(2, len(met))
        self.assertEqual(theirs["data"], self.api.secret["data"])
        self.check_consistent()


class Fails(BootstrapTest):
    def test_no_pod(self):
        run = subprocess.run([INJECTOR, "bootstrap", "--namespace", "gw", "--service", "injector", "--secret", "tls",
                              "--webhook", "ocfsgw"], env={}, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(1, run.returncode)
        self.assertIn("KUBERNETES_SERVICE_HOST", run.stderr)
        (self.account / "token").unlink()
        self.fails(1, "token")

    def test_forbidden(self):
        for method, path in (("GET", SECRET), ("POST", SECRETS), ("GET", WEBHOOK), ("PATCH", WEBHOOK)):
            with self.subTest(method=method, path=path):
                self.api.secret = None
                self.api.answer = lambda m, p, at=(method, path): (403, {"message": "User x cannot"}) if (m, p) == at else None
                self.fails(2, "403", "User x cannot")

    def test_wrong_token(self):
        (self.account / "token").write_text("wrong")
        self.fails(2, "401")

    def test_no_webhook(self):
        self.api.webhook["webhooks"][1]["clientConfig"]["service"]["namespace"] = "elsewhere"
        self.fails(1, "has no webhook that calls Service injector of namespace gw")
        self.api.webhook = None
        self.fails(2, "404", "MutatingWebhookConfiguration ocfsgw")

    def test_conflict_without_end(self):
        self.api.answer = lambda method, path: (409, {"message": "conflict"}) if method == "POST" else None
        self.fails(4, "at every attempt")
        self.assertEqual(8, len(self.writes()))

    def test_answers_that_make_no_sense(self):
        for answer in ((500, b""), (200, b"<html>"), (200, []), (418, {"message": 5})):
            with self.subTest(answer):
                self.api.answer = lambda method, path, a=answer: a
                self.assertIn(self.run_bootstrap().returncode, (1, 2, 4))

    def test_certificate_of_somebody_else(self):
        make_certificates(INJECTOR, self.directory / "others", "localhost")
        (self.account / "ca.crt").write_bytes((self.directory / "others" / "ca.crt").read_bytes())
        self.fails(2, "TLS", "verify")
        self.assertEqual([], self.api.calls, "the token was sent")
        (self.account / "ca.crt").write_text("nonsense")
        self.fails(2, "ca.crt")

    def test_certificate_for_another_name(self):
        self.fails(2, "TLS", KUBERNETES_SERVICE_HOST="127.0.0.1")
        self.assertEqual([], self.api.calls)

    def test_nobody_there(self):
        self.fails(2, "refused", KUBERNETES_SERVICE_PORT="1")


class Version(BootstrapTest):
    def native(self):
        """Whether `serve` takes the cluster for one with native sidecars; it says so in its log."""
        log = self.directory / "log"
        with open(log, "w", encoding="utf-8") as opened, unittest.mock.patch.dict(os.environ, self.environment()):
            server = Server(INJECTOR, self.directory / "api", "--service-account", self.account, log=opened)
            self.addCleanup(server.kill)
            self.assertEqual(0, server.stop())
        return "native sidecars" in log.read_text()

    def test_versions(self):
        for major, minor, native in (("1", "29+", True), ("1", "28", False), ("1", "30", True), ("2", "0", True)):
            with self.subTest(major=major, minor=minor):
                self.api.answer = lambda method, path, a=(major, minor): (200, {"major": a[0], "minor": a[1]})
                self.assertEqual(native, self.native())


class Files(unittest.TestCase):
    def test_written_once(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "a" / "b"
        make_certificates(INJECTOR, directory)
        first = (directory / "tls.crt").read_text()
        self.assertEqual(0o600, (directory / "tls.key").stat().st_mode & 0o777)
        make_certificates(INJECTOR, directory)
        self.assertEqual(first, (directory / "tls.crt").read_text())
        make_certificates(INJECTOR, directory, "another")
        self.assertNotEqual(first, (directory / "tls.crt").read_text())
        self.assertEqual(["ca.crt", "tls.crt", "tls.key"], sorted(path.name for path in directory.iterdir()))

    def test_cannot_be_written(self):
        run = subprocess.run([INJECTOR, "bootstrap", "--namespace", "n", "--service", "s", "--out", "/proc/x"],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(4, run.returncode)
        self.assertIn("/proc/x", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
