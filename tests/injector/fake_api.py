"""As much of the Kubernetes API as bootstrap uses, for tests: one Secret, one MutatingWebhookConfiguration, versions that
count, a token. What it is asked it keeps in `calls`."""
import http.server
import json
import ssl
import threading

SECRETS = "/api/v1/namespaces/gw/secrets"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ocfsgw"
TOKEN = "a.token"


def webhook_configuration():
    service = {"name": "injector", "namespace": "gw", "path": "/mutate", "port": 443}
    others = {"name": "other", "namespace": "gw"}
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "ocfsgw", "resourceVersion": "1"},
            "webhooks": [{"name": "other.io", "clientConfig": {"service": others, "caBundle": "b3RoZXI="}},
                         {"name": "pods.ocfsgw.io", "clientConfig": {"service": service}}]}


class FakeApi:
    """`answer`: a function of (method, path) that may give (status, body) instead of the right answer."""

    def __init__(self, directory):
        self.secret, self.webhook, self.calls, self.version = None, webhook_configuration(), [], 1
        self.answer = lambda method, path: None
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do(self):
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                status, answer = api.handle(self.command, self.path, body, self.headers)
                text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # clients that do not like the certificate

        self.server = Listener(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        self.port = self.server.server_address[1]

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def handle(self, method, path, body, headers):
        self.calls.append(f"{method} {path}")
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        return self.answer(method, path) or self.right_answer(method, path, body, headers["Content-Type"])

    def right_answer(self, method, path, body, content_type):
        if path == "/version":
            return 200, {"major": "1", "minor": "29+", "gitVersion": "v1.29.4-k3s1"}
        if (method, path) == ("POST", SECRETS):
            if self.secret:
                return 409, {"message": "already exists"}
            self.secret = self.next_version(body)
            return 201, self.secret
        if path == SECRETS + "/tls":
            if self.secret is None:
                return 404, {"message": 'secrets "tls" not found'}
            if method == "PUT":
                if body["metadata"]["resourceVersion"] != self.secret["metadata"]["resourceVersion"]:
                    return 409, {"message": "conflict"}
                self.secret = self.next_version(body)
            return 200, self.secret
        if path == WEBHOOK and self.webhook:
            return self.patch_webhook(body, content_type) if method == "PATCH" else (200, self.webhook)
        return 404, {"message": f"{path} not found"}

    def patch_webhook(self, operations, content_type):
        if content_type != "application/json-patch+json":
            return 415, {"message": content_type}
        for operation in operations:
            if operation["op"] == "test":
                assert operation["path"] == "/metadata/resourceVersion", operation
                if operation["value"] != self.webhook["metadata"]["resourceVersion"]:
                    return 422, {"message": "the server rejected our request due to an error in our request"}
            else:
                _, webhooks, index, client, bundle = operation["path"].split("/")
                assert (operation["op"], webhooks, client, bundle) == ("add", "webhooks", "clientConfig", "caBundle")
                self.webhook["webhooks"][int(index)]["clientConfig"]["caBundle"] = operation["value"]
        self.webhook = self.next_version(self.webhook)
        return 200, self.webhook

    def next_version(self, thing):
        self.version += 1
        return {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(self.version)}}
