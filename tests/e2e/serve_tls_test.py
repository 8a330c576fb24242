"""Goal: the server speaks TLS with the certificate that its configuration names, takes a new one without
losing a connection, and does not start or change with one that is of no use.
Method: certificates made on the spot, Python's own TLS as the client."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import unittest
import warnings

from case import QUESTION, WithStub
from serve_test import PATIENCE, Serving, chat_body, read_event
from stub import endpoint, make_certificate, run


def setUpModule():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # Whoever runs this may ignore it, and so would the server.


class ServingTls(Serving):
    """Its clients trust one certificate."""

    def __init__(self, trusted, *arguments):
        self.context = ssl.create_default_context(cafile=trusted)
        super().__init__(*arguments)

    def open(self, context=None):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=context or self.context)

    def certificate(self, context):
        """What a new connection is shown."""
        connection = self.open(context)
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True)
        connection.close()
        return ssl.DER_cert_to_PEM_cert(shown).strip()


class Tls(WithStub):
    def setUp(self):
        super().setUp()
        self.server = None
        self.certificate, self.key = make_certificate(self.folder.name)
        self.other_folder = os.path.join(self.folder.name, "other")
        os.mkdir(self.other_folder)
        self.other_certificate, self.other_key = make_certificate(self.other_folder)

    def tearDown(self):
        if self.server:
            self.server.close()
        super().tearDown()

    def config_with(self, tls, model="edge-ok"):
        return self.config(endpoint("edge", "edge", self.stub.url, model), more=f"[serve]\ntls = {tls}\n")

    def files(self, certificate, key):
        return f'{{ certificate = "{certificate}", key = "{key}" }}'

    def serve(self, **more):
        config = self.config_with(self.files(self.certificate, self.key), **more)
        self.server = ServingTls(self.certificate, "--config", config)
        return self.server

    def text(self, path):
        with open(path, encoding="ascii") as file:
            return file.read().strip()

    def put(self, path, text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    def reload(self):
        self.server.process.send_signal(signal.SIGHUP)
        return self.server.process.stderr.readline()

    def test_answers_whole_and_streamed(self):
        server = self.serve()
        self.assertEqual(server.ask("GET", "/health")[::2], (200, {"status": "ok"}))
        status, _, answer = server.chat("hybrid/edge")
        self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, "The answer is 7.\nAnswer: 7"))
        for model in ("hybrid/edge", "edge"):
            _, response = server.begin_stream(model)
            self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))
        self.assertEqual(server.end()[0], 0)

    def test_one_connection_for_many_requests(self):
        connection = self.serve().open()
        for _ in range(3):
            connection.request("POST", "/v1/chat/completions", json.dumps(chat_body("hybrid/edge", QUESTION)),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            response.read()
        connection.close()

    def test_a_client_that_leaves_cancels(self):
        server = self.serve(model="stall-until-left")
        connection, response = server.begin_stream("hybrid/edge")
        read_event(response)
        response.close()
        connection.close()
        self.assertTrue(self.stub.left.acquire(timeout=PATIENCE), "the upstream connection is still open")

    def test_no_one_else_and_nothing_older(self):
        server = self.serve()
        with self.assertRaises(ssl.SSLCertVerificationError):
            server.certificate(ssl.create_default_context(cafile=self.other_certificate))
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python advises against them, too.
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            server.certificate(old)
        plain = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        plain.request("GET", "/health")
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            plain.getresponse()
        plain.close()
        self.assertEqual(server.ask("GET", "/health")[0], 200)

    def test_a_new_certificate_is_read_and_old_connections_go_on(self):
        server = self.serve(model="stall-then-end")
        _, response = server.begin_stream("hybrid/edge")
        read_event(response)
        self.assertEqual(server.certificate(server.context), self.text(self.certificate))
        self.put(self.certificate, self.text(self.other_certificate))
        self.put(self.key, self.text(self.other_key))
        self.assertIn("read again and is in force", self.reload())
        now = ssl.create_default_context(cafile=self.other_certificate)
        self.assertEqual(server.certificate(now), self.text(self.other_certificate))
        self.stub.released.set()
        self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))

    def test_a_certificate_of_no_use_changes_nothing(self):
        server = self.serve()
        good = self.text(self.certificate)
        for spoilt, words in (("no certificate at all", "holds no certificate"),
                              (self.text(self.other_certificate), "key"), (None, "cannot be read")):
            if spoilt is None:
                os.remove(self.certificate)
            else:
                self.put(self.certificate, spoilt)
            said = self.reload()
            self.assertIn("the configuration stays as it was: ", said)
            self.assertIn(words, said)
            self.assertEqual(server.certificate(server.context), good)
        self.put(self.certificate, good)
        self.assertIn("read again and is in force", self.reload())
        self.assertEqual(server.ask("GET", "/health")[0], 200)

    def test_no_start_with_files_of_no_use(self):
        garbage = os.path.join(self.folder.name, "garbage.pem")
        self.put(garbage, "no certificate")
        locked = os.path.join(self.folder.name, "locked.pem")
        subprocess.run(["openssl", "rsa", "-aes128", "-passout", "pass:secret", "-in", self.key, "-out", locked],
                       check=True, capture_output=True)
        nowhere = os.path.join(self.folder.name, "nowhere.pem")
        for tls, words in ((self.files(nowhere, self.key), nowhere), (self.files(self.certificate, nowhere), nowhere),
                           (self.files(garbage, self.key), garbage), (self.files(self.certificate, garbage), garbage),
                           (self.files(self.certificate, self.other_key), "key"),
                           (self.files(self.certificate, locked), locked),
                           (self.files(self.folder.name, self.key), self.folder.name),
                           (f'{{ certificate = "{self.certificate}" }}', "needs both"),
                           (f'{{ key = "{self.key}" }}', "needs both"), ('{ cert = "x" }', "cert"), ('"on"', "tls")):
            with self.subTest(tls=tls):
                code, out, err = run("serve", "--listen", "127.0.0.1:0", "--config", self.config_with(tls))
                self.assertEqual((code, out), (2, ""), err)
                self.assertTrue(err.startswith("hybridflow: ") and err.count("\n") == 1, err)
                self.assertIn(words, err)


if __name__ == "__main__":
    unittest.main()
