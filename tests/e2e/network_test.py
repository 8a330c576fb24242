"""Goal: no network and no server, however broken, makes the program hang, crash, grow, lose money or be
silent about what happened; and what is given up is closed at once, down to the engine's decoding.
Method: the real program behind a proxy that spoils the answers of a scripted endpoint, and of the real
engine where its smallest model is there."""

import contextlib
import functools
import itertools
import json
import os
import signal
import socket
import subprocess
import unittest

from case import QUESTION, WithStub, clean_environment, run_measured
from engine_test import MODEL, Engine
from fault_proxy import DONE, FAULTS, FINISH, PATIENCE, FaultProxy, event, split_answer, text_event
from stub import PROGRAM, endpoint, run

ANSWER = "The answer is 7.\nAnswer: 7"
BILL = 100 * 2_000_000 + 9 * 8_000_000  # Of the scripted endpoint's answer, in picodollars.
USAGE = event({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 9}})

# The address sanitizer's shadow and quarantine are not the program's own memory.
with open(PROGRAM, "rb") as binary:
    HAS_SANITIZER = b"__asan_init" in binary.read()
MEMORY_MAX = (600 if HAS_SANITIZER else 200) * 1_000_000

# What the program still makes an answer of, and the answer.
ANSWERED = {
    "none": ANSWER,
    "slow_drip": ANSWER,
    "garbage_after": ANSWER,
    "interim_answers": ANSWER,
    "old_http": ANSWER,
    "bare_line_feeds": ANSWER,
    "wrong_type_right_answer": ANSWER,
    "gzip_unasked": ANSWER,
    "deflate_unasked": ANSWER,
    "line_ends_crlf": ANSWER,
    "line_ends_cr": ANSWER,
    "byte_order_mark": ANSWER,
    "garbage_between_events": ANSWER,
    "unknown_events": ANSWER,
    "split_data_lines": ANSWER,
    "done_missing": ANSWER,
    "finish_missing": ANSWER,
    "done_twice": ANSWER,
    "data_after_done": ANSWER,
    "garbage_after_finish": ANSWER,
    "silent_after_done": ANSWER,
    "reset_after_done": ANSWER,
    "reset_after_finish": "Answer: 7",
    "nul_in_text": "Answer:\0 7is 7.\nAnswer: 7",
    "usage_twice": ANSWER,
    "usage_negative": ANSWER,
    "usage_beyond_numbers": ANSWER,
    "usage_of_other_types": ANSWER,
    "line_1_mb": "x" * 1_000_000 + ANSWER,
    "chunks_of_one_byte": ANSWER,
}

# What it gives up: the class of the failure, and words of the message.
FAILED = {
    # These two may be faster than the program's connect.
    "reset_at_once": ("cut|refused", "reset|connect"),
    "close_at_once": ("cut|refused", "reset|connect|reply|pipe"),
    "reset_after_request": ("cut", "reset"),
    "close_after_request": ("cut", "Empty reply"),
    "reset_in_head": ("cut", "reset"),
    "reset_in_stream": ("cut", "reset"),
    "close_in_stream": ("cut", "closed"),
    "close_in_chunk": ("cut", "closed"),
    "close_short_of_length": ("cut", "closed"),
    "close_without_length": ("cut", "before the answer was complete"),
    "end_in_order_too_early": ("cut", "before the answer was complete"),
    "garbage_instead": ("malformed", "HTTP"),
    "garbage_before": ("malformed", "HTTP"),
    "another_protocol": ("malformed", "HTTP"),
    "endless_header": ("malformed", "header"),
    "endless_header_line": ("malformed", "header"),
    "endless_interim_answers": ("malformed", "header"),
    "redirect": ("rejected", "HTTP 307"),
    "switching_protocols": ("rejected", "HTTP 101"),
    "no_content": ("malformed", "empty"),
    "empty_body": ("malformed", "empty"),
    "future_http": ("malformed", "HTTP"),
    "negative_length": ("malformed", "Content-Length"),
    "chunks_without_size": ("cut", "chunk"),
    "chunk_too_large_to_count": ("cut", "chunk"),
    "chunk_shorter_than_told": ("cut", "chunk"),
    "web_page": ("malformed", "text/html"),
    "picture": ("malformed", "image/png"),
    "type_with_control_marks": ("malformed", "neither an event stream"),
    "gzip_broken": ("malformed", "neither"),
    "gzip_unsaid": ("malformed", "text/event-stream"),
    "gzip_bomb": ("malformed", "4 MiB"),
    "unknown_encoding": ("malformed", "encoding"),
    "error_page_20_mb": ("server", "it broke"),
    "error_event": ("server", "memory"),
    "garbage_in_event": ("malformed", "JSON"),
    "deep_nesting": ("malformed", "JSON"),
    "invalid_utf8": ("malformed", "JSON"),
    "half_a_surrogate": ("malformed", "JSON"),
    "line_20_mb": ("malformed", "4 MiB"),
    "line_20_mb_without_end": ("malformed", "4 MiB"),
    "events_20_mb": ("malformed", "larger than"),
    "numbers_20_mb": ("malformed", "4 MiB"),
}

# What only a timeout ends; they are tried with short ones.
STALLED = {
    "silent": ("first-token-timeout", "no answer within 300 ms"),
    "head_then_silent": ("first-token-timeout", "no answer within 300 ms"),
    "keepalives_only": ("first-token-timeout", "300 ms"),
    "blank_lines_only": ("first-token-timeout", "300 ms"),
    "half_then_silent": ("gap-timeout", "300 ms"),
    "half_then_keepalives": ("gap-timeout", "300 ms"),
    "endless_drip": ("gap-timeout", "300 ms"),
}
SHORT = 'timeouts = { connect = "300ms", first_token = "300ms", gap = "300ms", total = "20s" }'
# None of them may pass: where an answer is complete, or its failure known, there is nothing to wait for.
LONG = 'timeouts = { connect = "1h", first_token = "1h", gap = "1h", total = "1h" }'

# Faults with a test of their own.
SPECIAL = {"reset_kept_connection", "endless_answer", "silent_after_finish"}


class Spoilt(WithStub):
    def proxy(self, *arguments, upstream=None):
        proxy = FaultProxy(upstream or self.stub.url, *arguments)
        self.addCleanup(proxy.close)
        return proxy

    def spoilt(self, proxy, timeouts=LONG, attempts=1, more=""):
        """A configuration with the spoilt endpoint alone."""
        return self.config(endpoint("cloud", "cloud", proxy.url, "cloud-ok", timeouts),
                           more=f"[limits]\nattempts = {attempts}\n{more}")

    def run_ask(self, config, *arguments):
        code, out, err, memory = run_measured("ask", "--config", config, "--json", *arguments, QUESTION)
        self.assertIn(code, (0, 3, 4, 5), err)
        self.assertLess(memory, MEMORY_MAX)
        # Nothing that a server says reaches the terminal's controls.
        self.assertFalse([c for c in err if ord(c) < 32 and c != "\n"], err)
        receipt = json.loads(out)
        self.check_sums(receipt)
        return code, receipt, err


class Faults(Spoilt):
    def test_every_fault_is_tried(self):
        named = [*ANSWERED, *FAILED, *STALLED, *SPECIAL]
        self.assertEqual(sorted(named), sorted(FAULTS))

    def test_what_can_be_understood_is_an_answer(self):
        for name, answer in ANSWERED.items():
            with self.subTest(name), contextlib.closing(FaultProxy(self.stub.url, name)) as proxy:
                code, receipt, err = self.run_ask(self.spoilt(proxy), "--plan", "never")
                self.assertEqual((code, err), (0, ""), receipt)
                self.assertEqual(receipt["outcome"], "answered")
                self.assertEqual(receipt["answer"], answer)
                self.assertEqual(len(proxy.requests()), len(receipt["calls"]))
                # Usage that cannot be is none, and then the worst case is booked.
                self.assertGreaterEqual(receipt["totals"]["pico_usd"], BILL)

    def expect_failure(self, name, failure, words, timeouts):
        with self.subTest(name), contextlib.closing(FaultProxy(self.stub.url, name)) as proxy:
            code, receipt, err = self.run_ask(self.spoilt(proxy, timeouts), "--plan", "never")
            self.assertEqual((code, receipt["outcome"]), (5, "unavailable"), err)
            call = receipt["calls"][0]
            self.assertEqual(call["status"], "failed")
            self.assertRegex(call["failure"], f"^({failure})$", call)
            self.assertRegex(call["detail"], words)
            # The sentence that people see says it too.
            self.assertEqual(err.count("\n"), 1, err)
            self.assertRegex(err, words)
            # Whoever got the request may charge for it, except with an error for an answer.
            arrived = len(proxy.requests())
            self.assertLessEqual(arrived, 1)
            if arrived == 1 and "HTTP" not in call["detail"][:5]:
                self.assertGreaterEqual(call["pico_usd"], BILL)

    def expect_fallback(self, name, failure, timeouts):
        with self.subTest(name), contextlib.closing(FaultProxy(self.stub.url, name)) as proxy:
            config = self.config(endpoint("edge", "edge", self.stub.url, "edge-ok"),
                                 endpoint("cloud", "cloud", proxy.url, "cloud-ok", timeouts),
                                 more="[limits]\nattempts = 1\n")
            code, receipt, _ = self.run_ask(config, "--plan", "never", "--policy", "cloud")
            self.assertEqual(code, 0)
            self.assertEqual(receipt["answer"], ANSWER)
            self.assertEqual([c["endpoint"] for c in receipt["calls"]], ["cloud", "edge"])
            self.assertRegex(receipt["calls"][0]["failure"], f"^({failure})$")

    def test_what_cannot_be_understood_is_a_failure_in_words(self):
        for name, (failure, words) in FAILED.items():
            self.expect_failure(name, failure, words, LONG)

    def test_what_never_ends_is_ended_by_its_timeout(self):
        for name, (failure, words) in STALLED.items():
            self.expect_failure(name, failure, words, SHORT)

    def test_every_failure_ends_on_the_edge(self):
        for name, (failure, _) in FAILED.items():
            self.expect_fallback(name, failure, LONG)
        self.expect_fallback("half_then_keepalives", "gap-timeout", SHORT)

    def test_an_answer_that_says_it_is_finished_survives_silence(self):
        proxy = self.proxy("silent_after_finish")
        code, receipt, err = self.run_ask(self.spoilt(proxy, SHORT), "--plan", "never")
        self.assertEqual((code, receipt["answer"]), (0, "Answer: 7"), err)
        self.assertTrue(receipt["calls"][0]["usage_estimated"])

    def test_a_connection_that_is_never_accepted_is_a_connect_timeout(self):
        # A full queue of a socket that nobody accepts from: further connections hang.
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            with socket.create_connection(full.getsockname()):
                url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
                config = self.config(endpoint("cloud", "cloud", url, "m", 'timeouts = { connect = "100ms" }'),
                                     more="[limits]\nattempts = 1\n")
                code, receipt, err = self.run_ask(config, "--plan", "never")
        self.assertEqual(code, 5)
        self.assertIn("no connection within 100 ms", err)
        self.assertEqual(receipt["calls"][0]["failure"], "connect-timeout")
        self.assertEqual(receipt["totals"]["pico_usd"], 0)


class Streams(Spoilt):
    def plan(self, steps):
        """A plan of so many steps of which the last relies on all others."""
        names = [f"s{i}" for i in range(steps)]
        plan = [{"id": name, "role": "explain", "task": "What?", "relies_on": []} for name in names[:-1]]
        plan.append({"id": names[-1], "role": "generate", "task": "So?", "relies_on": names[:-1]})
        path = os.path.join(self.folder.name, "plan.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"steps": plan}, file)
        return path

    def test_an_answer_may_be_split_at_every_byte(self):
        # With line ends of two bytes, between which it is split, too.
        body = b"".join([text_event("The answer "), text_event("is \u00e9.\n"), FINISH, USAGE, DONE])
        body = body.replace(b"\n", b"\r\n").replace(b"\\u00e9", "\u00e9".encode())
        places = itertools.count(1)
        proxy = self.proxy(lambda exchange: split_answer(exchange, body, next(places)))
        config = self.spoilt(proxy, more="[planner]\nmax_steps = 32\n")
        path = self.plan(32)
        while len(proxy.requests()) < len(body):
            code, receipt, err = self.run_ask(config, "--plan", path)
            self.assertEqual(code, 0, err)
            self.assertEqual({s["output"] for s in receipt["subtasks"]}, {"The answer is \u00e9.\n"})
            self.assertEqual(receipt["totals"]["pico_usd"], 32 * BILL)

    def test_a_request_is_never_sent_twice_behind_the_budget_s_back(self):
        for _ in range(10):
            proxy = self.proxy("reset_kept_connection")
            code, receipt, _ = self.run_ask(self.spoilt(proxy, attempts=2), "--plan", self.plan(2))
            self.assertEqual(code, 0)
            # The second step's first try must be on the connection of the first step, which on a busy machine may
            # not be free in time: its answer is over before its last bytes are there.
            if [what for what, _ in proxy.events][:3] == ["connection", "request", "request"]:
                break
        else:
            self.fail(f"no connection was kept: {proxy.events}")
        self.assertEqual([c["status"] for c in receipt["calls"]], ["done", "failed", "done"])
        self.assertEqual(len(proxy.requests()), 3)
        self.assertGreaterEqual(receipt["totals"]["pico_usd"], 3 * BILL)


class Interrupted(Spoilt):
    def start(self, config, *arguments, env=None):
        child = subprocess.Popen([PROGRAM, "ask", "--config", config, "--json", *arguments, QUESTION],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=env or clean_environment())
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def interrupt(self, child):
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 130, err)
        receipt = json.loads(out)
        self.check_sums(receipt)
        self.assertEqual(receipt["outcome"], "cancelled")
        self.assertEqual(receipt["calls"][-1]["status"], "cancelled")
        return receipt


class Cancelling(Interrupted):
    def test_ctrl_c_closes_the_stream(self):
        proxy = self.proxy("endless_answer")
        child = self.start(self.spoilt(proxy), "--plan", "never")
        self.assertTrue(proxy.began.wait(PATIENCE))
        receipt = self.interrupt(child)
        self.assertTrue(proxy.left.wait(PATIENCE))
        # The endpoint may charge for all that it was allowed to write.
        self.assertGreater(receipt["totals"]["pico_usd"], 0)

    def test_a_call_that_is_given_up_is_closed_before_another_answers(self):
        cloud = self.proxy("half_then_silent")

        def answer_when_it_is_closed(exchange):
            if not cloud.left.wait(PATIENCE):
                raise AssertionError("the call that was given up is still open")
            exchange.stream(exchange.body())

        edge = self.proxy(answer_when_it_is_closed)
        config = self.config(endpoint("edge", "edge", edge.url, "edge-ok", LONG),
                             endpoint("cloud", "cloud", cloud.url, "cloud-ok", SHORT), more="[limits]\nattempts = 1\n")
        code, receipt, _ = self.run_ask(config, "--plan", "never", "--policy", "cloud")
        self.assertEqual((code, receipt["answer"]), (0, ANSWER))


@functools.cache
def has_engine():
    version = run("version", "--json")[1]
    return json.loads(version)["engine"] and run("models", "path", MODEL)[0] == 0


@unittest.skipUnless(has_engine(), f"the model {MODEL} or the engine is not there")
class BehindTheEngine(Interrupted):
    """The same with an endpoint that really decodes."""

    def setUp(self):
        super().setUp()
        self.engine = Engine("--slots", "2")
        self.addCleanup(self.engine.stop)

    def behind(self, *arguments, timeouts="", tokens=24):
        proxy = self.proxy(*arguments, upstream=f"http://{self.engine.address}/v1")
        config = self.config(endpoint("edge", "edge", proxy.url, MODEL, timeouts),
                             more=f"[limits]\nanswer_tokens = {tokens}\n")
        return proxy, config

    def expect_answer(self, code, receipt, err):
        """An answer, even if the small model goes on up to its cap."""
        self.assertEqual(code, 0, err)
        self.assertTrue(receipt["answer"])
        self.assertFalse([reason for reason in receipt["degraded"] if not reason.startswith("length")])

    def test_it_answers_through_the_proxy(self):
        _, config = self.behind("none")
        code, receipt, err = self.run_ask(config, "--plan", "never")
        self.expect_answer(code, receipt, err)
        self.assertFalse(receipt["calls"][0]["usage_estimated"])
        self.assertLessEqual(receipt["calls"][0]["completion_tokens"], 24)

    def test_a_broken_stream_is_asked_for_again_and_its_decoding_stops(self):
        for spoil in (cut_off, FAULTS["reset_after_request"]):
            with self.subTest(spoil.__name__):
                proxy, config = self.behind(spoil, 1)
                code, receipt, err = self.run_ask(config, "--plan", "never")
                self.expect_answer(code, receipt, err)
                self.assertEqual([c["status"] for c in receipt["calls"]], ["failed", "done"])
                self.assertEqual(len(proxy.requests()), 2)
                self.engine.wait_for("active_sequences", 0)

    def test_ctrl_c_stops_the_decoding(self):
        proxy, config = self.behind(announced, tokens=4000)
        child = self.start(config, "--plan", "never")
        self.assertTrue(proxy.began.wait(PATIENCE))
        self.assertEqual(self.engine.metric("active_sequences"), 1)
        self.interrupt(child)
        self.engine.wait_for("active_sequences", 0)
        # It has not come to its end: its client has left.
        self.assertIn('requests_total{status="499"} 1', self.engine.ask("GET", "/metrics")[2])


def cut_off(exchange):
    """The engine's stream as it comes, until its third piece."""
    for data in itertools.islice(exchange.raw(), 3):
        exchange.send_apart(data)
    exchange.reset()


def announced(exchange):
    """Passes the stream on, and tells once it has begun."""
    for data in exchange.raw():
        exchange.send(data)
        if b"data:" in data:
            exchange.proxy.began.set()


if __name__ == "__main__":
    unittest.main()
