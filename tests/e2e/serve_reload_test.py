"""Goal: SIGHUP puts a new configuration in force for what comes, whole or not at all, and disturbs nothing
that runs.
Method: the real program, configurations changed under it, streams that are held open meanwhile."""

import json
import os
import signal
import unittest

from case import WithStub
from serve_test import Serving, chat_body, read_event
from stub import endpoint


def setUpModule():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # Whoever runs this may ignore it, and so would the server.


class Reload(WithStub):
    def setUp(self):
        super().setUp()
        self.server = None

    def tearDown(self):
        if self.server:
            self.server.close()
        super().tearDown()

    def serve(self, *names, model="edge-ok", more=""):
        self.server = Serving("--config", self.with_endpoints(*names, model=model, more=more))
        return self.server

    def with_endpoints(self, *names, model="edge-ok", more=""):
        return self.config(*(endpoint(name, "edge", self.stub.url, model) for name in names), more=more)

    def reload(self):
        """What the server says to it."""
        self.server.process.send_signal(signal.SIGHUP)
        return self.server.process.stderr.readline()

    def models(self):
        status, _, models = self.server.ask("GET", "/v1/models")
        self.assertEqual(status, 200)
        return [m["id"] for m in models["data"]]

    def test_endpoints_come_and_go(self):
        server = self.serve("a", "b")
        self.assertEqual(self.models(), ["hybrid/auto", "hybrid/edge", "a", "b"])
        self.with_endpoints("b", "c")
        self.assertEqual(self.reload(), "hybridflow: the configuration was read again and is in force\n")
        self.assertEqual(self.models(), ["hybrid/auto", "hybrid/edge", "b", "c"])
        status, _, error = server.chat("a")
        self.assertEqual((status, error["error"]["code"]), (404, "model_not_found"))
        _, response = server.begin_stream("c")
        self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))

    def test_a_configuration_of_no_use_changes_nothing_and_says_why(self):
        server = self.serve("a")
        path = os.path.join(self.folder.name, "config.toml")
        weights = '[route]\nweights = "/nowhere/weights"\n'
        for spoil, words in ((lambda: self.config("[[endpoint]\n"), "config.toml:1:"),
                             (lambda: self.config(), "endpoint"),
                             (lambda: self.with_endpoints("a", "a"), "'a'"),
                             (lambda: self.with_endpoints("a", more="[serve]\nports = 2\n"), "ports"),
                             (lambda: self.with_endpoints("a", more=weights), "/nowhere/weights"),
                             (lambda: self.with_endpoints("a", more="[ledger]\nscope = \"x\"\n"), "scope"),
                             (lambda: os.remove(path), "config.toml")):
            spoil()
            said = self.reload()
            self.assertTrue(said.startswith("hybridflow: the configuration stays as it was: "), said)
            self.assertIn(words, said)
            self.assertEqual(self.models(), ["hybrid/auto", "hybrid/edge", "a"])
            self.assertEqual(server.chat("hybrid/edge")[0], 200)
        self.with_endpoints("a", "b")
        self.assertIn("is in force", self.reload())
        self.assertIn("b", self.models())

    def test_limits_hold_from_then_on(self):
        server = self.serve("a")
        self.assertEqual(server.chat("hybrid/edge", hybridflow={"deadline_ms": 50_000})[2]["hybridflow"]["lowered"], [])
        self.with_endpoints("a", more='[budget]\ndeadline = "40s"\n')
        self.assertIn("is in force", self.reload())
        self.assertEqual(server.chat("hybrid/edge", hybridflow={"deadline_ms": 50_000})[2]["hybridflow"]["lowered"],
                         ["hybridflow.deadline_ms"])

    def test_what_runs_ends_as_it_began(self):
        server = self.serve("a", model="stall-then-end")
        streams = [server.begin_stream(model)[1] for model in ("hybrid/edge", "a")]
        ids = [r.headers["x-hybridflow-run"] for r in streams]
        for response in streams:
            read_event(response)
        self.with_endpoints("b")  # The endpoint that they use is gone for others.
        self.assertIn("is in force", self.reload())
        for run_id in ids:
            self.assertEqual(server.ask("GET", f"/v1/runs/{run_id}")[2]["outcome"], "running")
        self.assertEqual(server.chat("hybrid/edge")[0], 200)
        self.config("broken")
        self.assertIn("stays as it was", self.reload())
        self.stub.released.set()
        for response, run_id in zip(streams, ids):
            self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))
            receipt = server.ask("GET", f"/v1/runs/{run_id}")[2]
            self.assertEqual((receipt["outcome"], receipt["calls"][0]["endpoint"]), ("answered", "a"))
        self.assertEqual(server.end()[0], 0)

    def test_what_runs_can_be_cancelled_afterwards(self):
        server = self.serve("a", model="stall")
        _, response = server.begin_stream("hybrid/edge")
        read_event(response)
        self.with_endpoints("b")
        self.assertIn("is in force", self.reload())
        self.assertEqual(server.ask("DELETE", "/v1/runs/" + response.headers["x-hybridflow-run"])[0], 202)
        self.assertEqual(json.loads(read_event(response))["error"]["code"], "run_cancelled")

    def test_runs_and_repeated_requests_are_still_known(self):
        server = self.serve("a")
        body, again = chat_body("hybrid/edge", "How many figs?"), {"Idempotency-Key": "figs"}
        _, headers, answer = server.ask("POST", "/v1/chat/completions", body, again)
        self.with_endpoints("b")
        self.assertIn("is in force", self.reload())
        self.assertEqual(server.ask("GET", "/v1/runs/" + headers["x-hybridflow-run"])[2]["outcome"], "answered")
        self.assertEqual(server.ask("POST", "/v1/chat/completions", body, again)[2], answer)
        self.assertEqual(len(self.stub.requests), 1)

    def test_again_and_again_leaves_nothing_behind(self):
        server = self.serve("a")
        descriptors = lambda: len(os.listdir(f"/proc/{server.process.pid}/fd"))
        counts = []
        for i in range(20):
            self.with_endpoints("a", f"b{i}")
            self.assertIn("is in force", self.reload())
            self.assertEqual(server.chat("hybrid/edge")[0], 200)
            counts.append(descriptors())
        self.assertLessEqual(counts[-1], counts[3] + 4, counts)


if __name__ == "__main__":
    unittest.main()
