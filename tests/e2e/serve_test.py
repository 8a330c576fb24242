"""The server as its users run it: requests over real sockets, scripted endpoints behind, signals at the end."""

import http.client
import json
import os
import signal
import subprocess
import threading
import unittest

from case import QUESTION, WithStub, check_sums, clean_environment
from stub import PROGRAM, endpoint, run

PATIENCE = 60


class Serving:
    """`hybridflow serve` on a free port."""

    def __init__(self, *arguments, listen="127.0.0.1:0"):
        self.process = subprocess.Popen([PROGRAM, "serve", "--listen", listen, *arguments], text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=clean_environment())
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), (line, self.process.stderr.read())
        self.port = int(line.rsplit(":", 1)[1])
        self.connections = []  # Of streams.

    def open(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, method, path, body=None, headers=None):
        """Returns (status, headers, JSON)."""
        connection = self.open()
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, response.headers, json.loads(text)

    def chat(self, model="hybrid/auto", question=QUESTION, **more):
        return self.ask("POST", "/v1/chat/completions", chat_body(model, question, **more))

    def begin_stream(self, model, **more):
        """Returns (connection, response) as soon as the head has come."""
        connection = self.open()
        self.connections.append(connection)
        connection.request("POST", "/v1/chat/completions", json.dumps(chat_body(model, QUESTION, stream=True, **more)),
                           {"Content-Type": "application/json"})
        return connection, connection.getresponse()

    def end(self, signum=signal.SIGTERM):
        """Returns (exit code, what was said on standard error)."""
        self.process.send_signal(signum)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err

    def close(self):
        for connection in self.connections:
            connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def chat_body(model, question, **more):
    return {"model": model, "messages": [{"role": "user", "content": question}], **more}


def read_event(response):
    """The data of the next event of a stream."""
    data = response.readline().decode().rstrip("\n")
    assert data.startswith("data: "), data
    assert response.readline() == b"\n"
    return data[len("data: "):]


class ServeTest(WithStub):
    def setUp(self):
        super().setUp()
        self.server = None

    def tearDown(self):
        if self.server:
            self.server.close()
        super().tearDown()

    def serve(self, *arguments, config=None, **endpoints):
        self.server = Serving("--config", config or self.two(**endpoints), *arguments)
        return self.server

    def receipt(self, run_id):
        status, _, receipt = self.server.ask("GET", "/v1/runs/" + run_id)
        self.assertEqual(status, 200)
        check_sums(self, receipt)
        return receipt

    # ---- answers ----

    def test_models_and_health(self):
        server = self.serve()
        status, _, models = server.ask("GET", "/v1/models")
        self.assertEqual(status, 200)
        self.assertEqual([m["id"] for m in models["data"]],
                         ["hybrid/auto", "hybrid/edge", "hybrid/cloud", "edge", "cloud"])
        self.assertEqual(server.ask("GET", "/health")[::2], (200, {"status": "ok"}))
        self.assertEqual(server.ask("GET", "/ready")[::2], (200, {"status": "ready"}))

    def test_planned_answer_with_receipt(self):
        server = self.serve()
        status, headers, answer = server.chat(hybridflow={"plan": "always"})
        self.assertEqual(status, 200)
        self.assertEqual(answer["choices"][0]["message"]["content"], "The answer is 7.\nAnswer: 7")
        summary = answer["hybridflow"]
        self.assertTrue(summary["planned"])
        self.assertEqual(summary["calls"]["edge"] + summary["calls"]["cloud"], 5)
        self.assertEqual(headers["x-hybridflow-run"], summary["run"])
        receipt = self.receipt(summary["run"])
        self.assertEqual(receipt["answer"], answer["choices"][0]["message"]["content"])
        self.assertEqual(receipt["totals"]["pico_usd"], summary["pico_usd"])
        tokens = sum(c["prompt_tokens"] + c["completion_tokens"] for c in receipt["calls"])
        self.assertEqual(answer["usage"]["total_tokens"], tokens)

    def test_chat_goes_to_the_endpoint_as_it_came(self):
        server = self.serve()
        messages = [{"role": "system", "content": "You are a grocer."}, {"role": "user", "content": "Hello"},
                    {"role": "assistant", "content": "Hi."},
                    {"role": "user", "content": [{"type": "text", "text": "How many "}, {"type": "text", "text": "figs?"}]}]
        body = {"model": "hybrid/cloud", "messages": messages, "max_tokens": 33, "temperature": 0.25, "stop": "###"}
        status, _, answer = server.ask("POST", "/v1/chat/completions", body)
        self.assertEqual(status, 200, answer)
        asked = self.stub.asked("cloud-ok")[0]
        self.assertEqual(asked["messages"][:3], messages[:3])
        self.assertEqual(asked["messages"][3], {"role": "user", "content": "How many figs?"})
        self.assertEqual((asked["max_tokens"], asked["temperature"], asked["stop"]), (33, 0.25, ["###"]))

    def test_stream_comes_before_the_upstream_has_ended(self):
        server = self.serve(edge="stall", cloud="stall")
        connection, response = server.begin_stream("hybrid/edge")
        self.assertEqual((response.status, response.headers["Content-Type"]), (200, "text/event-stream"))
        # The upstream says "half" and then nothing until it is released.
        first = json.loads(read_event(response))
        self.assertEqual(first["choices"][0]["delta"], {"role": "assistant", "content": "half"})
        self.assertFalse(self.stub.released.is_set())
        connection.close()

    def test_stream_to_its_end(self):
        server = self.serve()
        _, response = server.begin_stream("hybrid/edge", stream_options={"include_usage": True})
        events = []
        while not events or events[-1] != "[DONE]":
            events.append(read_event(response))
        self.assertEqual(response.read(), b"")
        chunks = [json.loads(e) for e in events[:-1]]
        text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
        self.assertEqual(text, "The answer is 7.\nAnswer: 7")
        self.assertEqual(chunks[-2]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(chunks[-1]["usage"]["total_tokens"], 109)
        run_id = chunks[-1]["hybridflow"]["run"]
        self.assertEqual(response.headers["x-hybridflow-run"], run_id)
        self.assertEqual(self.receipt(run_id)["outcome"], "answered")

    def test_connection_serves_again(self):
        connection = self.serve().open()
        for _ in range(3):
            connection.request("POST", "/v1/chat/completions", json.dumps(chat_body("edge", QUESTION)),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            response.read()
        connection.close()

    def test_fifty_at_once(self):
        server = self.serve()
        runs = []

        def ask():
            _, _, answer = server.chat(hybridflow={"plan": "always"})
            runs.append(answer["hybridflow"]["run"])

        def stream():
            _, response = server.begin_stream("hybrid/auto", hybridflow={"plan": "always"})
            text = response.read().decode()
            if text.endswith("data: [DONE]\n\n"):
                runs.append(response.headers["x-hybridflow-run"])

        threads = [threading.Thread(target=work) for work in [ask, stream] * 25]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(len(set(runs)), 50)
        for run_id in runs:
            self.assertEqual(self.receipt(run_id)["outcome"], "answered")

    # ---- refusals ----

    def check_error(self, got, status, code):
        self.assertEqual(got[0], status, got)
        self.assertEqual(got[2]["error"]["code"], code)
        self.assertTrue(got[2]["error"]["message"])
        return got[2]["error"]

    def test_wrong_requests(self):
        server = self.serve()
        post = lambda body, **headers: server.ask("POST", "/v1/chat/completions", body, headers)
        self.check_error(post("{"), 400, "invalid_json")
        error = self.check_error(server.chat(temperature="hot"), 400, "invalid_value")
        self.assertEqual((error["param"], error["type"]), ("temperature", "invalid_request_error"))
        self.check_error(server.chat(n=2), 400, "unsupported_parameter")
        self.check_error(server.chat(model="gpt-9"), 404, "model_not_found")
        self.check_error(server.ask("GET", "/nothing"), 404, "not_found")
        self.check_error(server.ask("GET", "/health", headers={"Host": "page.example"}), 403, "host_not_allowed")
        self.check_error(server.ask("GET", "/v1/chat/completions"), 405, "method_not_allowed")
        self.check_error(server.ask("POST", "/v1/chat/completions", "{}", {"Content-Type": "text/plain"}), 415,
                         "unsupported_media_type")
        self.assertEqual(self.stub.requests, [])

    def test_body_over_the_limit(self):
        self.check_error(self.serve().chat(question="x" * (4 * 1024 * 1024)), 413, "request_too_large")

    def test_budget_of_a_request(self):
        server = self.serve()
        error = self.check_error(server.chat("hybrid/cloud", hybridflow={"budget": {"usd": 0.0001}}), 402,
                                 "budget_exceeded")
        self.assertIn("the query budget allows $0.0001", error["message"])
        self.assertEqual(self.stub.requests, [])
        status, headers, answer = server.chat("hybrid/auto", hybridflow={"budget": {"usd": 0}})
        self.assertEqual(status, 200)
        self.assertEqual((answer["hybridflow"]["usd"], headers["x-hybridflow-usd"]), (0, "0"))

    def test_budget_of_the_configuration_is_not_raised(self):
        server = self.serve(config=self.two(more="[budget]\nusd = 0.02\n"))
        _, _, answer = server.chat("hybrid/cloud", hybridflow={"budget": {"usd": 100}})
        self.assertEqual(answer["hybridflow"]["lowered"], ["hybridflow.budget.usd"])
        self.assertLess(answer["hybridflow"]["budget_left"]["usd"], 0.02)

    def test_process_budget_holds_for_many_at_once(self):
        # One call: 100 * 2 + 9 * 8 millionths of a dollar; at worst about 2 % of what there is.
        server = self.serve(config=self.two(more="[budget.process]\nusd = 0.01\n"))
        results = []
        threads = [threading.Thread(target=lambda: results.append(server.chat("hybrid/cloud"))) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        statuses = sorted(status for status, _, _ in results)
        self.assertEqual(set(statuses), {200, 402})
        spent = sum(answer["hybridflow"]["pico_usd"] for status, _, answer in results if status == 200)
        self.assertLessEqual(spent, 10**10)
        self.assertEqual(len(self.stub.asked("cloud-ok")), statuses.count(200))

    def test_deadline(self):
        server = self.serve(edge="silent", cloud="silent")
        self.check_error(server.chat("hybrid/edge", hybridflow={"deadline_ms": 200}), 504, "deadline_exceeded")

    def test_endpoint_that_fails(self):
        error = self.check_error(self.serve(edge="unauthorized", cloud="unauthorized").chat(), 502, "upstream_failed")
        self.assertIn("it refused the key", error["message"])

    # ---- the end of runs and of the server ----

    def test_client_that_leaves_cancels_upstream(self):
        server = self.serve(edge="stall-until-left", cloud="stall-until-left")
        connection, response = server.begin_stream("hybrid/edge")
        run_id = response.headers["x-hybridflow-run"]
        read_event(response)
        response.close()
        connection.close()
        self.assertTrue(self.stub.left.acquire(timeout=PATIENCE), "the upstream connection is still open")
        self.assertEqual(self.wait_for_end(run_id)["outcome"], "cancelled")

    def wait_for_end(self, run_id):
        while True:
            _, _, state = self.server.ask("GET", "/v1/runs/" + run_id)
            if state["outcome"] != "running":
                return state

    def test_run_is_cancelled_by_its_id(self):
        server = self.serve(edge="stall", cloud="stall")
        _, response = server.begin_stream("hybrid/edge")
        run_id = response.headers["x-hybridflow-run"]
        read_event(response)
        self.assertEqual(server.ask("DELETE", "/v1/runs/" + run_id)[0], 202)
        self.assertEqual(json.loads(read_event(response))["error"]["code"], "run_cancelled")
        self.assertEqual(response.read(), b"")
        self.assertEqual(self.receipt(run_id)["outcome"], "cancelled")
        self.check_error(server.ask("DELETE", "/v1/runs/" + run_id), 409, "run_is_over")

    def test_signal_lets_running_queries_end(self):
        server = self.serve(edge="stall-then-end", cloud="stall-then-end")
        _, response = server.begin_stream("hybrid/edge")
        read_event(response)
        server.process.send_signal(signal.SIGTERM)
        self.assertIn("ending; 1 running", server.process.stderr.readline())
        with self.assertRaises(ConnectionError):
            server.ask("GET", "/health")
        self.stub.released.set()
        rest = response.read().decode()
        self.assertTrue(rest.endswith("data: [DONE]\n\n"), rest)
        self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_drain_has_an_end(self):
        server = self.serve("--drain", "100ms", edge="stall", cloud="stall")
        _, response = server.begin_stream("hybrid/edge")
        read_event(response)
        code, err = server.end(signal.SIGINT)
        self.assertEqual(code, 0, err)
        self.assertEqual(json.loads(read_event(response))["error"]["code"], "run_cancelled")

    def test_durable_budget_is_settled_at_the_end(self):
        path = os.path.join(self.folder.name, "ledger.db")
        more = f'[ledger]\npath = "{path}"\nscope = "team"\n[[ledger.scopes]]\nname = "team"\nusd = 1.0\n'
        server = self.serve(config=self.two(more=more))
        _, _, answer = server.chat("hybrid/cloud")
        self.assertEqual(server.end()[0], 0)
        code, out, err = run("ledger", "show", "--store", path, "--json")
        self.assertEqual(code, 0, err)
        team = json.loads(out)["scopes"][0]
        self.assertEqual((team["pico_usd"]["spent"], team["pico_usd"]["leased"]), (answer["hybridflow"]["pico_usd"], 0))

    # ---- the command line ----

    def test_others_are_kept_out_unless_said(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0", "127.0.0.1.example:0"):
            code, out, err = run("serve", "--listen", address, "--config", self.two())
            self.assertEqual((code, out), (2, ""))
            self.assertIn("--allow-anyone", err)
        server = Serving("--config", self.two(), "--allow-anyone", listen="0.0.0.0:0")
        self.server = server
        self.assertEqual(server.ask("GET", "/health")[0], 200)

    def test_wrong_arguments(self):
        config = self.two()
        self.assertEqual(run("serve", "--config", config, "--drain", "soon")[0], 2)
        self.assertEqual(run("serve", "--config", config, "--listen", "127.0.0.1:x")[0], 2)
        self.assertEqual(run("serve", "--config", os.path.join(self.folder.name, "none.toml"))[0], 2)
        taken = self.serve(config=config)
        code, _, err = run("serve", "--config", config, "--listen", f"127.0.0.1:{taken.port}")
        self.assertEqual(code, 1)
        self.assertIn("in use", err)


if __name__ == "__main__":
    unittest.main()
