"""Goal: curl gets what the documents promise, byte for byte, with its own ways to send and to leave.
Method: the curl of this machine against `hybridflow serve` with a scripted endpoint behind it.
"""

import json
import os
import signal
import subprocess
import unittest

from client_case import MODELS, PATIENCE, QUESTION, ClientCase, clean_environment
from upstream import ANSWER, VECTOR

CHAT = "/chat/completions"


class Curl(ClientCase):
    def arguments(self, path, body=None, *more):
        arguments = ["curl", "--silent", "--show-error", "--no-buffer", "--header", f"Authorization: Bearer {self.key}", *more]
        if body is not None:
            arguments += ["--header", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        return [*arguments, self.url + path]

    def curl(self, path, body=None, *more):
        """Returns (status, headers, body)."""
        code, out, err = self.command(*self.arguments(path, body, "--include", *more))
        self.assertEqual(code, 0, err)
        head, _, body = out.partition("\n\n")
        first, *lines = head.splitlines()
        headers = dict(line.split(": ", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value for name, value in headers.items()}, body

    @staticmethod
    def body(model="edge", **more):
        return {"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}

    def test_whole(self):
        self.serve()
        for model in MODELS:
            with self.subTest(model):
                status, headers, answer = self.curl(CHAT, self.body(model))
                self.assertEqual((status, headers["content-type"]), (200, "application/json"))
                self.assertEqual(json.loads(answer)["choices"][0]["message"]["content"], ANSWER)
                self.assertEqual(headers["x-hybridflow-outcome"], "answered")

    def test_stream_with_progress_in_comments(self):
        self.serve()
        for model in MODELS:
            with self.subTest(model):
                hybridflow = {"progress": True, "plan": "always" if model == "hybrid/auto" else "never"}
                _, headers, text = self.curl(CHAT, self.body(model, stream=True, hybridflow=hybridflow))
                self.assertTrue(headers["content-type"].startswith("text/event-stream"))
                frames = text.split("\n\n")
                self.assertEqual(frames[-2:], ["data: [DONE]", ""])
                comments = [frame for frame in frames if frame.startswith(": hybridflow ")]
                chunks = [json.loads(frame[len("data: "):]) for frame in frames[:-2] if frame.startswith("data: ")]
                self.assertEqual(len(comments) + len(chunks) + 2, len(frames))
                self.assertEqual("".join(c["choices"][0]["delta"].get("content", "") for c in chunks), ANSWER)
                types = [json.loads(comment[len(": hybridflow "):])["type"] for comment in comments]
                if model == "hybrid/auto":
                    self.assertIn("plan", types)

    def test_bodies_pass_as_they_are(self):
        self.serve()
        body = self.body(made_up={"deep": [1, 2.50, "\u00e9"]}, temperature=0.30)
        status, _, answer = self.curl(CHAT, body)
        self.assertEqual(status, 200)
        self.assertEqual(self.stub.requests[-1], {**body, "model": "edge-ok"})
        self.assertEqual(json.loads(answer)["system_fingerprint"], "fp_1")

    def test_other_ways_to_send(self):
        self.serve()
        large = json.dumps(self.body(padding="x" * 2_000_000))
        for name, more in {"100-continue": ["--header", "Expect: 100-continue"], "chunked": ["--header", "Transfer-Encoding: chunked"],
                           "HTTP/1.0": ["--http1.0"], "compressed": ["--compressed"]}.items():
            with self.subTest(name):
                arguments = [*self.arguments(CHAT), "--header", "Content-Type: application/json", "--data-binary", "@-", *more]
                code, out, err = self.command(*arguments, stdin=large)
                self.assertEqual(code, 0, err)
                self.assertEqual(json.loads(out)["choices"][0]["message"]["content"], ANSWER)

    def test_stream_over_http_1_0(self):
        self.serve()
        for model in MODELS:
            with self.subTest(model):
                _, headers, text = self.curl(CHAT, self.body(model, stream=True), "--http1.0")
                self.assertNotIn("transfer-encoding", headers)
                self.assertTrue(text.endswith("data: [DONE]\n\n"), text)

    def test_other_requests(self):
        self.serve(edge="embed")
        status, _, answer = self.curl("/embeddings", {"model": "edge", "input": "one"})
        self.assertEqual((status, json.loads(answer)["data"][0]["embedding"]), (200, VECTOR))
        self.assertEqual(len(json.loads(self.curl("/models")[2])["data"]), 5)
        status, headers, body = self.curl("/models", None, "--head")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["content-length"]), 0)

    def test_errors(self):
        self.serve()
        for status, code, body in ((404, "model_not_found", self.body("gpt-9")), (400, "invalid_value", self.body(max_tokens=0)),
                                   (402, "budget_exceeded", self.body("cloud", hybridflow={"budget": {"usd": 0.000001}}))):
            got, headers, answer = self.curl(CHAT, body)
            self.assertEqual((got, json.loads(answer)["error"]["code"]), (status, code))
            self.assertEqual(headers["content-type"], "application/json")

    def test_events_of_a_run(self):
        self.serve()
        _, headers, _ = self.curl(CHAT, self.body("hybrid/auto"))
        _, _, text = self.curl("/runs/" + headers["x-hybridflow-run"] + "/events")
        self.assertTrue(text.startswith("event: hybridflow.run\ndata: {"), text)
        self.assertIn('"type":"end"', text)

    def test_out_of_time(self):
        self.serve(edge="stall-until-left")
        code, _, _ = self.command(*self.arguments(CHAT, self.body(), "--max-time", "0.3"))
        self.assertEqual(code, 28)
        _, _, runs = self.ask("GET", "/v1/runs?limit=1")
        self.check_cancelled(runs["data"][0]["id"])

    def test_leaves_in_the_middle(self):
        self.serve(edge="stall-until-left", cloud="stall-until-left")
        for model in MODELS:
            with self.subTest(model):
                body = self.body(model, stream=True, hybridflow={"plan": "never"})
                with subprocess.Popen(self.arguments(CHAT, body), stdout=subprocess.PIPE, env=clean_environment()) as client:
                    self.assertIn(b"half", os.read(client.stdout.fileno(), 4096))
                    client.send_signal(signal.SIGTERM)
                    client.wait(PATIENCE)
                _, _, runs = self.ask("GET", "/v1/runs?limit=1")
                self.check_cancelled(runs["data"][0]["id"])


class CurlWithKey(Curl):
    has_keys = True

    def test_wrong_key(self):
        self.serve()
        self.key = "hf-nothing"
        status, headers, answer = self.curl("/models")
        self.assertEqual((status, headers["www-authenticate"]), (401, "Bearer"))
        self.assertEqual(json.loads(answer)["error"]["code"], "invalid_api_key")


if __name__ == "__main__":
    unittest.main()
