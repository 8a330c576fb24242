"""Goal: over HTTP a key opens exactly what it may, its budget holds whatever happens to the server, and its
secret is nowhere but with its owner.
Method: the real program with its own state folder, keys made and changed by the command line beside it,
scripted endpoints that keep their own bill, restarts and SIGKILL."""

import json
import os
import signal
import threading
import time
import unittest
from unittest import mock

from case import QUESTION
from keys_test import WithState
from serve_test import PATIENCE, Serving, chat_body, read_event
from stub import run

# Of one answer of the stub. The question is longer than what is billed, so that its bytes bound that.
BILL = 100 * 2_000_000 + 9 * 8_000_000
LONG = QUESTION + " Think about each kind of fruit, one after the other, and then say the number alone. Thank you!"
CENT = 10**10


def setUpModule():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # Whoever runs this may ignore it, and so would the server.


class WithKeys(WithState):
    def setUp(self):
        super().setUp()
        patched = mock.patch.dict(os.environ, HYBRIDFLOW_STATE=self.state)
        patched.start()
        self.addCleanup(patched.stop)
        self.servers = []
        self.said = []  # All that servers of this test have said.

    def tearDown(self):
        for server in self.servers:
            server.close()
        super().tearDown()

    def serve(self, *arguments, listen="127.0.0.1:0", **endpoints):
        server = Serving("--config", self.two(**endpoints), *arguments, listen=listen)
        self.servers.append(server)
        return server

    def end(self, server):
        server.process.send_signal(signal.SIGTERM)
        self.said.extend(server.process.communicate(timeout=PATIENCE))
        self.assertEqual(server.process.returncode, 0, self.said[-1])

    @staticmethod
    def with_key(secret):
        return {"Authorization": f"Bearer {secret}"}

    def chat(self, server, secret, model="hybrid/cloud", **more):
        return server.ask("POST", "/v1/chat/completions", chat_body(model, LONG, max_tokens=20, **more),
                          self.with_key(secret))

    def begin_stream(self, server, secret, model, **more):
        connection = server.open()
        server.connections.append(connection)
        connection.request("POST", "/v1/chat/completions", json.dumps(chat_body(model, LONG, stream=True, **more)),
                           {"Content-Type": "application/json", **self.with_key(secret)})
        return connection.getresponse()

    def check_error(self, got, status, code):
        self.assertEqual((got[0], got[2]["error"]["code"]), (status, code), got[2])
        return got[2]["error"]

    def until(self, get, status):
        """What another process did to a key counts within a second or so."""
        end = time.monotonic() + PATIENCE
        while (got := get())[0] != status:
            self.assertLess(time.monotonic(), end, f"{status} never came, but {got}")
        return got

    def bill(self, *models):
        return sum(len(self.stub.asked(model)) for model in models or ("cloud-ok",)) * BILL

    def spent(self, name):
        return next(k["pico_usd"]["spent"] for k in self.listed() if k["name"] == name)


class Doors(WithKeys):
    def test_without_a_good_key_nothing_is_told(self):
        alice, gone, late = self.add("alice"), self.add("gone"), self.add("late", "--expires", "1s")
        server = self.serve()
        self.assertEqual(self.chat(server, alice)[0], 200)
        self.keys("revoke", "gone")
        models = lambda secret: server.ask("GET", "/v1/models", None, self.with_key(secret))
        refusals = [self.until(lambda: models(gone), 401), self.until(lambda: models(late), 401)]
        for secret in ("hf-" + "x" * 43, alice[:-1], alice + "x", alice.upper(), "", "sk-1"):
            refusals.append(models(secret))
        refusals.append(server.ask("GET", "/v1/models", None, {"Authorization": f"Basic {alice}"}))
        refusals.append(server.ask("GET", "/v1/models"))
        for got in refusals:
            error = self.check_error(got, 401, "invalid_api_key")
            self.assertEqual((error["type"], got[1]["WWW-Authenticate"]), ("authentication_error", "Bearer"))
        # Nobody learns whether a key ever was.
        self.assertEqual(len({json.dumps(got[2]) for got in refusals[:5]}), 1)
        before = len(self.stub.requests)
        for method, path in (("POST", "/v1/chat/completions"), ("POST", "/v1/embeddings"), ("GET", "/v1/runs"),
                             ("GET", "/v1/runs/x"), ("DELETE", "/v1/runs/x"), ("GET", "/v1/runs/x/events"),
                             ("POST", "/v1/runs/x/feedback"), ("GET", "/v1/budgets"), ("GET", "/metrics"),
                             ("GET", "/v1/models/edge")):
            body = chat_body("edge", LONG) if method == "POST" else None
            self.check_error(server.ask(method, path, body), 401, "invalid_api_key")
        self.assertEqual(len(self.stub.requests), before)
        for path in ("/health", "/ready", "/openapi.json"):
            self.assertEqual(server.ask("GET", path)[0], 200)
        self.assertEqual(server.ask("GET", "/v1/models", None, {"X-Api-Key": alice})[0], 200)

    def test_a_key_names_its_models_only(self):
        alice = self.add("alice", "--model", "edge", "--model", "hybrid/edge")
        server = self.serve()
        error = self.check_error(self.chat(server, alice, "hybrid/cloud"), 403, "model_not_allowed")
        self.assertEqual(error["param"], "model")
        self.check_error(self.chat(server, alice, "cloud"), 403, "model_not_allowed")
        self.assertEqual(self.stub.requests, [])
        self.assertEqual(self.chat(server, alice, "hybrid/edge")[0], 200)
        _, _, models = server.ask("GET", "/v1/models", None, self.with_key(alice))
        self.assertEqual([m["id"] for m in models["data"]], ["hybrid/edge", "edge"])

    def test_nobody_sees_the_runs_of_others(self):
        alice, bob = self.add("alice"), self.add("bob")
        server = self.serve()
        run_id = self.chat(server, alice)[2]["hybridflow"]["run"]
        for path, method in (("", "GET"), ("", "DELETE"), ("/events", "GET")):
            got = server.ask(method, f"/v1/runs/{run_id}{path}", None, self.with_key(bob))
            self.check_error(got, 404, "run_not_found")
        self.assertEqual(server.ask("GET", "/v1/runs", None, self.with_key(bob))[2]["data"], [])
        self.assertEqual(server.ask("GET", f"/v1/runs/{run_id}", None, self.with_key(alice))[2]["outcome"], "answered")

    def test_requests_per_minute(self):
        alice, bob = self.add("alice", "--requests-per-minute", "2"), self.add("bob")
        server = self.serve()
        answers = [self.chat(server, alice) for _ in range(3)]
        self.assertEqual([a[0] for a in answers[:2]], [200, 200])
        self.check_error(answers[2], 429, "rate_limit_exceeded")
        self.assertTrue(1 <= int(answers[2][1]["Retry-After"]) <= 30, answers[2][1])
        self.assertEqual(self.chat(server, bob)[0], 200)
        self.assertEqual(len(self.stub.asked("cloud-ok")), 3)

    def test_requests_at_once(self):
        alice, bob = self.add("alice", "--in-flight", "1"), self.add("bob")
        server = self.serve(edge="stall-then-end")
        response = self.begin_stream(server, alice, "hybrid/edge")
        read_event(response)
        refused = self.chat(server, alice)
        self.check_error(refused, 429, "too_many_in_flight")
        self.assertGreaterEqual(int(refused[1]["Retry-After"]), 1)
        self.assertEqual(self.chat(server, bob)[0], 200)
        self.stub.released.set()
        self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))
        self.assertEqual(self.chat(server, alice)[0], 200)

    def test_a_run_outlives_its_key(self):
        alice = self.add("alice", "--usd", "1")
        server = self.serve(cloud="stall-then-end")
        response = self.begin_stream(server, alice, "hybrid/cloud")
        read_event(response)
        self.keys("revoke", "alice")
        self.until(lambda: server.ask("GET", "/v1/models", None, self.with_key(alice)), 401)
        self.stub.released.set()
        self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))
        self.end(server)
        self.assertGreater(self.spent("alice"), 0)

    def test_a_rotated_key_is_the_same_key(self):
        old = self.add("alice", "--usd", "1", "--period", "total")
        server = self.serve()
        run_id = self.chat(server, old)[2]["hybridflow"]["run"]
        code, out, err = self.keys("rotate", "alice")
        self.assertEqual(code, 0, err)
        new = out.strip()
        self.until(lambda: server.ask("GET", "/v1/models", None, self.with_key(old)), 401)
        self.assertEqual(self.chat(server, new)[0], 200)
        self.assertEqual(server.ask("GET", f"/v1/runs/{run_id}", None, self.with_key(new))[0], 200)
        self.end(server)
        self.assertEqual(self.spent("alice"), 2 * BILL)

    def test_others_are_let_in_by_keys_only(self):
        code, out, err = run("serve", "--listen", "0.0.0.0:0", "--config", self.two(),
                             env={"HYBRIDFLOW_STATE": self.state})
        self.assertEqual((code, out), (2, ""))
        self.assertIn("there are no keys", err)
        alice = self.add("alice")
        server = self.serve(listen="0.0.0.0:0")
        self.assertEqual(server.ask("GET", "/v1/models")[0], 401)
        # By any name: what keeps others out is the key.
        self.assertEqual(server.ask("GET", "/v1/models", None, {**self.with_key(alice), "Host": "box.example"})[0], 200)

    def test_the_first_key_closes_a_server_that_runs(self):
        server = self.serve()
        self.assertEqual(server.ask("GET", "/v1/models")[0], 200)
        alice = self.add("alice")
        self.until(lambda: server.ask("GET", "/v1/models"), 401)
        self.assertEqual(self.chat(server, alice)[0], 200)
        self.keys("revoke", "alice")
        self.until(lambda: self.chat(server, alice), 401)
        self.assertEqual(server.ask("GET", "/v1/models")[0], 401)  # Not open to all again.

    def test_a_secret_is_in_no_file_and_in_no_word_of_the_server(self):
        alice, bob = self.add("alice", "--usd", "1"), self.add("bob", "--model", "gpt-9")
        server = self.serve(edge="unauthorized")
        for secret in (alice, bob, alice + "x"):
            for model in ("hybrid/cloud", "hybrid/edge", "gpt-9"):
                self.chat(server, secret, model, user=secret)
            self.begin_stream(server, secret, "cloud").read()  # Passed on as it is.
        told = json.dumps([server.ask("GET", path, None, self.with_key(alice))[2]
                           for path in ("/v1/budgets", "/v1/runs")])
        while_running = self.bytes_of_state()
        server.process.send_signal(signal.SIGHUP)
        self.said.append(server.process.stderr.readline())
        self.assertIn("was read again", self.said[0])
        self.end(server)
        kept = while_running + self.bytes_of_state()
        self.assertIn(alice[:10].encode(), kept)
        for secret in (alice, bob):
            self.assertNotIn(secret[10:].encode(), kept)
            self.assertNotIn(secret[10:], "".join(self.said) + told)
            self.assertNotIn(secret[10:], json.dumps(self.stub.headers))  # Nor at an endpoint.


class Budgets(WithKeys):
    def test_an_empty_budget_says_so_with_its_figures(self):
        alice = self.add("alice", "--usd", "0.0001", "--period", "day")
        server = self.serve()
        got = self.chat(server, alice)
        error = self.check_error(got, 402, "budget_exceeded")
        self.assertEqual(error["type"], "insufficient_quota")
        figures = error["hybridflow"]
        self.assertRegex(figures["scope"], r"^key:alice#1:\d{4}-\d\d-\d\d$")
        self.assertEqual({k: figures[k] for k in ("axis", "limit", "spent", "held", "left")},
                         {"axis": "usd", "limit": 0.0001, "spent": 0, "held": 0, "left": 0.0001})
        self.assertGreater(figures["asked"], 0.0001)
        self.assertTrue(1 <= int(got[1]["Retry-After"]) <= 86400)  # A new day is a new budget.
        self.assertEqual(got[1]["x-should-retry"], "false")
        self.assertEqual(self.stub.requests, [])
        self.assertEqual(self.chat(server, alice, "hybrid/edge")[0], 200)
        self.keys("set", "alice", "--usd", "1")
        self.until(lambda: self.chat(server, alice), 200)

    def test_tokens_are_a_budget_too(self):
        alice = self.add("alice", "--tokens", "50", "--period", "total")
        server = self.serve()
        got = self.chat(server, alice)
        figures = self.check_error(got, 402, "budget_exceeded")["hybridflow"]
        self.assertEqual((figures["axis"], figures["limit"]), ("cloud_tokens", 50))
        self.assertIsNone(got[1]["Retry-After"])  # It never fills up again.

    def spend_all(self, server, secret):
        """How many are answered before the first refusal."""
        count = 0
        while (got := self.chat(server, secret))[0] == 200:
            count += 1
        self.check_error(got, 402, "budget_exceeded")
        return count

    def test_a_budget_outlives_the_server(self):
        limit = CENT
        alice = self.add("alice", "--usd", "0.01", "--period", "total")
        first = self.serve()
        for _ in range(3):
            self.assertEqual(self.chat(first, alice)[0], 200)
        self.end(first)
        self.assertEqual(self.spent("alice"), 3 * BILL)
        second = self.serve()
        more = self.spend_all(second, alice)
        self.assertGreater(more, 0)
        self.end(second)
        self.assertEqual(self.spent("alice"), (3 + more) * BILL)
        self.assertEqual(self.spend_all(self.serve(), alice), 0)
        self.assertLessEqual(self.bill(), limit)

    def test_a_killed_server_has_not_forgotten_what_was_spent(self):
        limit = 2 * CENT
        alice = self.add("alice", "--usd", "0.02", "--period", "total")
        for _ in range(3):
            server = self.serve()
            self.chat(server, alice)
            server.process.kill()
            server.process.wait(PATIENCE)
        self.spend_all(self.serve(), alice)
        self.assertLessEqual(self.bill(), limit)
        self.end(self.servers[-1])
        self.run_it("ledger", "reconcile")
        self.assertGreaterEqual(self.spent("alice"), self.bill())
        self.spend_all(self.serve(), alice)
        self.assertLessEqual(self.bill(), limit)

    def test_two_servers_share_a_budget(self):
        alice = self.add("alice", "--usd", "0.02", "--period", "total")
        servers = [self.serve(), self.serve()]
        counts = [0, 0]
        def spend(i):
            counts[i] = self.spend_all(servers[i], alice)
        threads = [threading.Thread(target=spend, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(sum(counts) * BILL, self.bill())
        self.assertLessEqual(self.bill(), 2 * CENT)
        for server in servers:
            self.end(server)
        self.assertEqual(self.spent("alice"), self.bill())

    def test_keys_that_wait_for_money_do_not_keep_each_other_busy(self):
        # Enough for one call of each; the second waits for what the first may return: nothing, because
        # it tells no usage and so stays booked at its worst.
        secrets = [self.add(name, "--usd", "0.004", "--period", "total") for name in ("alice", "bob")]
        server = self.serve(cloud="stall-then-end")
        streams = [self.begin_stream(server, secret, "hybrid/cloud", max_tokens=20) for secret in secrets]
        for response in streams:
            read_event(response)
        answers = []
        waiting = [threading.Thread(target=lambda secret=secret: answers.append(self.chat(server, secret)))
                   for secret in secrets]
        for thread in waiting:
            thread.start()
        running = lambda secret: [r for r in server.ask("GET", "/v1/runs", None, self.with_key(secret))[2]["data"]
                                  if r["outcome"] == "running"]
        for secret in secrets:
            while len(running(secret)) < 2:
                pass
        self.assertEqual(len(self.stub.requests), 2)
        self.stub.released.set()
        for thread in waiting:
            thread.join(PATIENCE)
        self.assertEqual([a[0] for a in answers], [402, 402])
        for response in streams:
            self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))

    def test_fifty_at_once_on_a_nearly_empty_key(self):
        limit = CENT
        alice = self.add("alice", "--usd", "0.01", "--period", "total")
        server = self.serve()
        statuses = []

        def whole():
            statuses.append(self.chat(server, alice)[0])

        def stream():
            response = self.begin_stream(server, alice, "cloud", max_tokens=20)
            text = response.read()
            self.assertEqual(text.endswith(b"data: [DONE]\n\n"), response.status == 200)
            statuses.append(response.status)

        threads = [threading.Thread(target=work) for work in [whole, stream] * 25]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(len(statuses), 50)
        self.assertEqual(set(statuses), {200, 402})
        self.assertEqual(statuses.count(200) * BILL, self.bill())
        self.assertLessEqual(self.bill(), limit)
        self.end(server)
        self.assertEqual(self.spent("alice"), self.bill())


if __name__ == "__main__":
    unittest.main()
