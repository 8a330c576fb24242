"""Goal: the engine answers as the protocol says, refuses in words what it cannot do, and never outlives
who started it; a query survives the end of its engine.
Method: the real program with the smallest model of the catalogue, over TCP and Unix sockets.
"""

import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from case import WithStub
from stub import PROGRAM, run

MODEL = "smollm2-135m-instruct"
PATIENCE = 120  # Seconds after which what has not come will not come.
ENDLESS = 'root ::= "a" root'


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """A running `hybridflow engine` and ways to talk to it."""

    def __init__(self, *arguments, listen="127.0.0.1:0", model=MODEL):
        self.process = subprocess.Popen([PROGRAM, "engine", model, "--listen", listen, *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on "), (line, self.process.stderr.read())
        self.address = line.removeprefix("listening on ").strip()

    def connect(self):
        if self.address.startswith("unix:"):
            return UnixConnection(self.address.removeprefix("unix:"))
        return http.client.HTTPConnection(self.address, timeout=PATIENCE)

    def open(self, method, path, body=None):
        """Sends a request; returns the connection and the begun answer."""
        connection = self.connect()
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        return connection, connection.getresponse()

    def ask(self, method, path, body=None):
        """Status, headers and body, read as JSON where it is."""
        connection, answer = self.open(method, path, body)
        text = answer.read()
        connection.close()
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, answer.headers, json.loads(text) if is_json else text.decode()

    def chat(self, prompt, **fields):
        fields.setdefault("temperature", 0)
        fields.setdefault("max_tokens", 24)
        body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **fields}
        return self.ask("POST", "/v1/chat/completions", body)

    def text(self, prompt, **fields):
        status, _, answer = self.chat(prompt, **fields)
        assert status == 200, answer
        return answer["choices"][0]["message"]["content"]

    def begin_endless(self):
        """Starts an answer that does not end by itself and reads its first bytes."""
        body = {"messages": [{"role": "user", "content": "Say a."}], "stream": True, "max_tokens": 100_000,
                "grammar": ENDLESS}
        connection, answer = self.open("POST", "/v1/chat/completions", body)
        assert answer.read(1)
        return connection

    def count(self, **body):
        """Tokens of a text or of messages; waits for the model."""
        return self.ask("POST", "/tokenize", body)[2]["count"]

    def metric(self, name):
        lines = self.ask("GET", "/metrics")[2].splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"hybridflow_engine_{name} ")), 0)

    def wait_for(self, name, value):
        deadline = time.monotonic() + PATIENCE
        while self.metric(name) != value:
            assert time.monotonic() < deadline, f"{name} is {self.metric(name)}, not {value}"

    def stop(self, how=signal.SIGTERM):
        """Ends it and returns its exit code."""
        self.process.send_signal(how)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


def frames_of(text):
    assert text.endswith("\n\n")
    return [frame.removeprefix("data: ") for frame in text.removesuffix("\n\n").split("\n\n")]


def tail_of(chat):
    return chat["choices"][0]["finish_reason"]


class WithEngine(unittest.TestCase):
    """One engine for all tests of a class."""

    ARGUMENTS = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.engine = Engine(*cls.ARGUMENTS, listen=cls.listen())

    @classmethod
    def tearDownClass(cls):
        cls.engine.stop()
        cls.folder.cleanup()

    @classmethod
    def listen(cls):
        return "127.0.0.1:0"


class Protocol(WithEngine):
    def test_health_and_models(self):
        self.engine.count(content="wait for the model")
        self.assertEqual(self.engine.ask("GET", "/health")[::2], (200, {"status": "ok"}))
        status, _, models = self.engine.ask("GET", "/v1/models")
        self.assertEqual((status, [m["id"] for m in models["data"]]), (200, [MODEL]))
        self.assertEqual(self.engine.ask("GET", "/nowhere")[0], 404)
        status, headers, _ = self.engine.ask("GET", "/v1/chat/completions")
        self.assertEqual((status, headers["Allow"]), (405, "POST"))

    def test_a_whole_answer_and_a_streamed_one_are_the_same(self):
        prompt = "What is the capital of France?"
        status, _, whole = self.engine.chat(prompt)
        self.assertEqual((status, whole["object"], whole["model"]), (200, "chat.completion", MODEL))
        text = whole["choices"][0]["message"]["content"]
        self.assertIn("Paris", text)

        status, headers, body = self.engine.chat(prompt, stream=True, stream_options={"include_usage": True})
        self.assertEqual((status, headers["Content-Type"]), (200, "text/event-stream"))
        frames = frames_of(body)
        self.assertEqual(frames[-1], "[DONE]")
        chunks = [json.loads(frame) for frame in frames[:-1]]
        self.assertEqual({c["object"] for c in chunks}, {"chat.completion.chunk"})
        pieces = [c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]]
        self.assertEqual("".join(pieces), text)
        self.assertGreater(len(pieces), 3)
        count = lambda usage: (usage["prompt_tokens"], usage["completion_tokens"])
        self.assertEqual(count(chunks[-1]["usage"]), count(whole["usage"]))
        self.assertFalse([c for c in chunks[:-1] if c.get("usage")])

    def test_usage_is_what_the_tokenizer_counts(self):
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name three colours."}]
        _, _, answer = self.engine.ask("POST", "/v1/chat/completions",
                                       {"messages": messages, "temperature": 0, "max_tokens": 20})
        usage = answer["usage"]
        self.assertEqual(usage["prompt_tokens"], self.engine.count(messages=messages))
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
        # The token that ends an answer is counted and has no text.
        text = answer["choices"][0]["message"]["content"]
        self.assertIn(usage["completion_tokens"] - self.engine.count(content=text), (0, 1))

    def test_the_token_cap_is_kept(self):
        _, _, answer = self.engine.chat("Tell me a long story.", max_tokens=7)
        self.assertEqual((answer["usage"]["completion_tokens"], tail_of(answer)), (7, "length"))

    def test_a_stop_word_ends_the_answer_before_it(self):
        prompt = "Count from one to ten in words."
        text = self.engine.text(prompt)
        word = text.split()[len(text.split()) // 2]
        status, _, answer = self.engine.chat(prompt, stop=[word])
        self.assertEqual((status, tail_of(answer)), (200, "stop"))
        self.assertEqual(answer["choices"][0]["message"]["content"], text[:text.index(word)])

    def test_a_seed_decides_what_is_drawn(self):
        draw = lambda seed: self.engine.text("Invent a name for a boat.", temperature=0.8, seed=seed)
        first = draw(1)
        self.assertEqual(draw(1), first)
        self.assertGreater(len({first, draw(2), draw(3), draw(4)}), 1)

    def test_logprobs_belong_to_the_text(self):
        _, _, answer = self.engine.chat("What is 2 + 2?", logprobs=True, top_logprobs=3, max_tokens=8)
        entries = answer["choices"][0]["logprobs"]["content"]
        self.assertEqual("".join(e["token"] for e in entries), answer["choices"][0]["message"]["content"])
        for entry in entries:
            self.assertLessEqual(entry["logprob"], 0)
            self.assertEqual(len(entry["top_logprobs"]), 3)
            # At temperature 0 the best one is taken.
            self.assertEqual(entry["top_logprobs"][0]["token"], entry["token"])
        signals = answer["hybridflow"]["signals"]
        self.assertLessEqual(signals["mean_logprob"], 0)
        self.assertTrue(0 <= signals["margin"] <= 1)

    def test_a_grammar_binds_the_answer(self):
        for seed in range(4):
            text = self.engine.text("Is the sky green?", grammar='root ::= "yes" | "no"', temperature=1, seed=seed)
            self.assertIn(text, ("yes", "no"))
        status, _, answer = self.engine.chat("x", grammar="root ::= nonsense (")
        self.assertEqual(status, 400)
        self.assertIn("grammar", answer["error"]["message"].lower())

    def test_a_bad_request_is_named(self):
        for body, status, word in ((b"{", 400, ""), (b"[]", 400, "object"), ({"messages": 3}, 400, "messages"),
                                   ({"messages": []}, 400, "messages"),
                                   ({"messages": [{"role": "user", "content": "x"}], "temperature": 9}, 400, "temperature"),
                                   ({"messages": [{"role": "user", "content": "x"}], "model": "gpt-9"}, 404, "gpt-9")):
            with self.subTest(body):
                got, _, answer = self.engine.ask("POST", "/v1/chat/completions", body)
                self.assertEqual(got, status)
                self.assertIn(word, answer["error"]["message"])


class OverAUnixSocket(WithEngine):
    ARGUMENTS = ("--name", "other-name")

    @classmethod
    def listen(cls):
        return f"unix:{cls.folder.name}/engine.sock"

    def test_it_serves_the_same(self):
        self.assertEqual(self.engine.address, self.listen())
        self.assertGreater(self.engine.count(content="hello"), 0)
        self.assertEqual(self.engine.ask("GET", "/health")[0], 200)
        self.assertEqual(self.engine.ask("GET", "/v1/models")[2]["data"][0]["id"], "other-name")
        self.assertEqual(self.engine.chat("x")[0], 404)  # It goes by its name alone.
        body = {"model": "other-name", "messages": [{"role": "user", "content": "What is the capital of France?"}],
                "temperature": 0, "max_tokens": 24}
        status, _, answer = self.engine.ask("POST", "/v1/chat/completions", body)
        self.assertEqual(status, 200)
        self.assertIn("Paris", answer["choices"][0]["message"]["content"])


class Limits(WithEngine):
    ARGUMENTS = ("--slots", "1", "--queue", "1", "--context", "1024")

    def test_a_full_queue_refuses_and_a_client_that_leaves_makes_room(self):
        holder = self.engine.begin_endless()
        self.engine.wait_for("active_sequences", 1)  # Its head may be out while it still queues.
        self.engine.wait_for("queue_length", 0)
        waiter = self.engine.connect()
        body = {"messages": [{"role": "user", "content": "Hi."}], "max_tokens": 4}
        waiter.request("POST", "/v1/chat/completions", json.dumps(body))
        self.engine.wait_for("queue_length", 1)
        status, headers, answer = self.engine.chat("Hi.")
        self.assertEqual(status, 429)
        self.assertEqual(answer["error"]["code"], "queue_full")
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)

        holder.sock.shutdown(socket.SHUT_RDWR)
        holder.close()
        self.assertEqual(waiter.getresponse().status, 200)
        waiter.close()
        self.engine.wait_for("active_sequences", 0)
        self.engine.wait_for("queue_length", 0)
        self.assertIn('requests_total{status="499"} 1', self.engine.ask("GET", "/metrics")[2])

    def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(self):
        messages = [{"role": "user", "content": "many words " * 1000}]
        count = self.engine.count(messages=messages)
        status, _, answer = self.engine.ask("POST", "/v1/chat/completions", {"messages": messages})
        self.assertEqual(status, 400)
        self.assertEqual(answer["error"]["code"], "context_length_exceeded")
        self.assertIn(f" {count} ", answer["error"]["message"])
        self.assertIn(" 1024 ", answer["error"]["message"])


class Endings(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def expect_refusal(self, *arguments, contains):
        code, out, err = run("engine", *arguments)
        self.assertEqual((code, out.replace("\n", "")[:13]), (2, out[:13]), err)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn(contains, err)

    def test_it_ends_in_order_while_it_answers(self):
        path = f"{self.folder.name}/engine.sock"
        engine = Engine(listen=f"unix:{path}")
        connection = engine.begin_endless()
        self.assertEqual(engine.stop(), 0)
        connection.close()
        self.assertFalse(os.path.exists(path))

    def test_it_ends_in_order_while_it_loads(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            self.assertEqual(Engine().stop(how), 0)

    def test_a_port_in_use_is_one_sentence(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.expect_refusal(MODEL, "--listen", address, contains=address)

    def test_a_live_unix_socket_is_left_alone(self):
        listen = f"unix:{self.folder.name}/engine.sock"
        engine = Engine(listen=listen)
        self.expect_refusal(MODEL, "--listen", listen, contains="engine.sock")
        self.assertGreater(engine.count(content="still here"), 0)
        engine.stop()

    def test_a_damaged_file_is_one_sentence(self):
        whole = run("models", "path", MODEL)[1].strip()
        for size in (0, 1_000_000, os.path.getsize(whole) - 1_000_000):
            path = os.path.join(self.folder.name, "cut.gguf")
            shutil.copyfile(whole, path)
            os.truncate(path, size)
            with self.subTest(size):
                self.expect_refusal(path, contains="cut.gguf")

    def test_what_is_no_model_is_one_sentence(self):
        path = os.path.join(self.folder.name, "text.gguf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("not a model\n" * 1000)
        self.expect_refusal(path, contains="text.gguf")
        self.expect_refusal("/nonexistent.gguf", contains="/nonexistent.gguf")
        self.expect_refusal("no-such-model", contains="no-such-model")
        self.expect_refusal(MODEL, "--slots", "0", contains="--slots")

    def test_it_ends_with_its_parent_s_pipe(self):
        reading, writing = os.pipe()
        with subprocess.Popen([PROGRAM, "engine", MODEL, "--listen", f"unix:{self.folder.name}/x.sock", "--parent-watch"],
                              stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            os.close(reading)
            self.assertIn(b"listening on", process.stdout.readline())
            os.close(writing)
            self.assertEqual(process.wait(PATIENCE), 0)
        self.assertFalse(os.path.exists(f"{self.folder.name}/x.sock"))


class Lab(unittest.TestCase):
    def test_the_round_trip_comes_before_the_first_byte(self):
        engine = Engine("--lab-round-trip", "300")
        engine.count(content="wait for the model")
        begin = time.monotonic()
        connection, answer = engine.open("POST", "/v1/chat/completions", {
            "messages": [{"role": "user", "content": "Hi."}], "stream": True, "max_tokens": 2})
        self.assertGreaterEqual(time.monotonic() - begin, 0.3)
        self.assertEqual(answer.headers["x-hybridflow-lab"], "1")
        connection.close()
        engine.stop()

    def test_a_failure_rate_of_one_fails_every_request(self):
        engine = Engine("--lab-failure-rate", "1")
        for _ in range(6):
            status, _, answer = engine.chat("Hi.", max_tokens=4)
            self.assertEqual((status, answer["error"]["code"]), (500, "lab_failure"))
        engine.stop()

    def test_a_kept_answer_needs_no_model(self):
        with tempfile.TemporaryDirectory() as folder:
            answers = []
            for _ in range(2):
                engine = Engine("--lab-cache", folder)
                answers.append(engine.chat("What is the capital of France?")[2])
                answers.append(engine.chat("What is the capital of France?", stream=True)[2])
                with open(f"/proc/{engine.process.pid}/maps", encoding="utf-8") as maps:
                    has_model = ".gguf" in maps.read()
                steps = engine.metric("decode_steps_total")
                engine.stop()
            # The second engine has not even opened the file.
            self.assertFalse(has_model)
            self.assertEqual(steps, 0)
            self.assertEqual(answers[0]["choices"], answers[2]["choices"])
            self.assertEqual(answers[0]["usage"], answers[2]["usage"])
            chunks = [json.loads(frame) for frame in frames_of(answers[3])[:-1]]
            self.assertEqual("".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]),
                             answers[0]["choices"][0]["message"]["content"])


def children_of(pid):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


class Ask(WithStub):
    """The whole program with its own engine."""

    def setUp(self):
        super().setUp()
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": self.folder.name}
        self.path = self.config(f'[[endpoint]]\nname = "edge"\ntier = "edge"\nengine = {{ model = "{MODEL}", slots = 2 }}\n',
                                more="[limits]\nanswer_tokens = 200\n")

    def start(self, *arguments):
        process = subprocess.Popen([PROGRAM, "ask", "--config", self.path, *arguments, "Tell me a story about the sea."],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def engine_of(self, process):
        """The process id of its engine and a descriptor that becomes readable at the engine's end."""
        deadline = time.monotonic() + PATIENCE
        while not (found := children_of(process.pid)):
            self.assertIsNone(process.poll(), "it ended before its engine started")
            self.assertLess(time.monotonic(), deadline)
        descriptor = os.pidfd_open(found[0])
        self.addCleanup(os.close, descriptor)
        return found[0], descriptor

    def expect_end(self, descriptor):
        self.assertTrue(select.select([descriptor], [], [], PATIENCE)[0], "the engine still runs")

    def test_a_whole_question_is_answered_and_adds_up(self):
        code, out, err = run("ask", "--config", self.path, "--json", "--plan", "never", "What is the capital of France?",
                             env={"XDG_RUNTIME_DIR": self.folder.name}, timeout=PATIENCE)
        self.assertEqual((code, err), (0, ""))
        receipt = json.loads(out)
        self.check_sums(receipt)
        self.assertEqual(receipt["outcome"], "answered")
        self.assertIn("Paris", receipt["answer"])
        self.assertGreater(receipt["totals"]["edge_tokens"], 0)
        self.assertEqual(receipt["totals"]["usd"], 0)
        self.assertFalse(receipt["calls"][0]["usage_estimated"])

    def test_a_planned_question_is_answered_and_adds_up(self):
        code, out, err = run("ask", "--config", self.path, "--json", "--plan", "always",
                             "Ann has 3 apples and 4 pears. Ben has 2 plums. How many fruits are there?",
                             env={"XDG_RUNTIME_DIR": self.folder.name}, timeout=PATIENCE)
        self.assertEqual(code, 0, err)
        receipt = json.loads(out)
        self.check_sums(receipt)
        # The grammar makes even the smallest model write a plan that can be used.
        self.assertEqual(receipt["plan"]["source"], "planner")
        self.assertGreaterEqual(len(receipt["plan"]["steps"]), 2)
        self.assertTrue(receipt["answer"])

    def test_nothing_is_left_behind(self):
        process = self.start("--plan", "never")
        _, descriptor = self.engine_of(process)
        process.wait(PATIENCE)
        self.expect_end(descriptor)
        left = [name for name in os.listdir(f"{self.folder.name}/hybridflow") if name != "cores"]
        self.assertEqual(left, [])

    def test_killing_the_program_ends_its_engine(self):
        process = self.start("--plan", "never", "--verbose")
        _, descriptor = self.engine_of(process)
        self.assertTrue(process.stdout.read(1))
        process.kill()
        self.expect_end(descriptor)

    def test_killing_the_program_at_once_ends_its_engine_too(self):
        process = self.start("--plan", "never")
        _, descriptor = self.engine_of(process)
        process.kill()
        self.expect_end(descriptor)

    def test_a_query_survives_the_end_of_its_engine(self):
        process = self.start("--plan", "never", "--verbose")
        engine, descriptor = self.engine_of(process)
        # The answer has begun.
        self.assertTrue(process.stdout.read(1))
        os.kill(engine, signal.SIGKILL)
        self.expect_end(descriptor)
        successor, _ = self.engine_of(process)
        self.assertNotEqual(successor, engine)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        self.assertGreater(len(out), 20)

    def test_an_engine_that_ends_while_it_loads_is_started_again(self):
        process = self.start("--json", "--plan", "never")
        engine, descriptor = self.engine_of(process)
        os.kill(engine, signal.SIGKILL)
        self.expect_end(descriptor)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        receipt = json.loads(out)
        self.check_sums(receipt)
        self.assertIn(receipt["outcome"], ("answered", "degraded"))  # Its cap may cut it.


if __name__ == "__main__":
    if run("models", "path", MODEL)[0] != 0:
        print(f"skipped: the model {MODEL} is not on this machine (hybridflow models pull {MODEL})")
        sys.exit(0)
    unittest.main()
