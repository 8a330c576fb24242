"""Goal: what a live run did, with whatever faults, can be done again to the bit from its log, and a log
that is damaged, or came from another behaviour of the scheduler, is named with its line.
Method: the real program 100 times against scripted endpoints, each run recorded and replayed."""

import collections
import concurrent.futures
import json
import os
import resource
import signal
import subprocess
import tempfile
import threading
import unittest

from stub import PROGRAM, Handler, Stub, endpoint, run

RUNS = 100
AT_ONCE = 4
QUESTION = "Ann has 3 apples and 4 pears. Ben has 2 plums and 5 figs. How many fruits are there?"
ANSWER = "The answer "
SECRET = "sk-a-secret-of-the-test"

BEHAVIOURS = sorted(name[4:].replace("_", "-") for name in dir(Handler) if name.startswith("act_"))
POLICIES = ("edge", "cloud", "random", "fixed", "difficulty", "hybridflow", "spar", "knn", "zcl", "frugal", "pacer")
PLANS = ("always", "always", "never")
BUDGETS = ([], ["--budget-usd", "0.02"], ["--budget-usd", "0.004"], ["--budget-usd", "0"], ["--budget-tokens", "3000"])
DEADLINES = ("3s", "1500ms", "700ms", "200ms")
# Shared by every fifth run, and too little for all of them.
LEDGER = '[ledger]\npath = "{}"\n[[ledger.scopes]]\nname = "key"\nusd = 0.02\n'
TIMEOUTS = 'timeouts = { connect = "1s", first_token = "300ms", gap = "150ms", total = "1s" }'


def pick(choices, number):
    return choices[number % len(choices)]


class Recorded(unittest.TestCase):
    """Records runs in a folder of its own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    @classmethod
    def config(cls, name, url, edge="ok", cloud="ok", more=""):
        path = cls.path(name + ".toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(endpoint("edge", "edge", url, edge, TIMEOUTS) +
                       endpoint("cloud", "cloud", url, cloud, TIMEOUTS + '\napi_key_env = "TEST_KEY"') + more)
        return path

    @classmethod
    def record(cls, name, *arguments, **config):
        """Returns (path of the log, exit code, receipt, what was said on standard error)."""
        stub = Stub()
        log = cls.path(name + ".log")
        try:
            code, out, err = run("ask", "--config", cls.config(name, stub.url, **config), "--json", "--record", log,
                                 *arguments, QUESTION, env={"TEST_KEY": SECRET})
        finally:
            stub.close()
        return log, code, json.loads(out) if out else None, err

    def replay(self, log, *arguments):
        code, out, err = run("replay", log, *arguments)
        return code, out, err

    def changed(self, log, name, change):
        with open(log, "rb") as file:
            text = file.read()
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(change(text))
        return path


class HundredRuns(Recorded):
    """All behaviours, policies, budgets and deadlines, mixed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            cls.runs = list(pool.map(cls.one, range(RUNS)))

    @classmethod
    def one(cls, number):
        log, code, receipt, err = cls.record(
            str(number), "--policy", pick(POLICIES, number), "--plan", pick(PLANS, number), "--seed", str(number),
            "--deadline", pick(DEADLINES, number // 3), *pick(BUDGETS, number // 7),
            edge=pick(BEHAVIOURS, number), cloud=pick(BEHAVIOURS, number * 7 // 3 + 1),
            more=LEDGER.format(cls.path("ledger.db")) if number % 5 == 4 else "")
        return log, code, receipt, err, run("replay", log, "--json", "--explain")

    def test_each_replays_to_the_bit(self):
        for number, (_, code, receipt, err, (replayed, out, words)) in enumerate(self.runs):
            with self.subTest(run=number):
                self.assertIn(code, (0, 3, 4, 5), err)
                self.assertEqual((replayed, words), (0, ""), out)
                report = json.loads(out)
                self.assertTrue(report["identical"] and report["complete"])
                query, = report["queries"]
                self.assertEqual(query["outcome"], receipt["outcome"])
                self.assertEqual(query["pico_usd"], receipt["totals"]["pico_usd"])
                self.assertEqual(query["cloud_tokens"], receipt["totals"]["cloud_tokens"])
                self.assertEqual(query["edge_tokens"], receipt["totals"]["edge_tokens"])
                self.assertEqual(len(report["decisions"]), len(receipt["calls"]))

    def test_together_they_show_every_outcome_and_most_failures(self):
        outcomes = collections.Counter(receipt["outcome"] for _, _, receipt, _, _ in self.runs)
        failures = collections.Counter(c.get("failure", "none") for _, _, r, _, _ in self.runs for c in r["calls"])
        print(f"{sum(json.loads(out)['events'] for *_, (_, out, _) in self.runs)} events in {RUNS} runs; "
              f"{dict(outcomes)}; {dict(failures)}")
        self.assertLessEqual({"answered", "degraded", "unavailable"}, set(outcomes))
        self.assertGreaterEqual(len(failures), 7)

    def test_a_budget_that_other_runs_use_too_replays(self):
        texts = []
        for log, *_ in self.runs[4::5]:
            with open(log, encoding="utf-8") as file:
                texts.append(file.read())
        self.assertTrue(any('"BudgetChanged"' in text for text in texts))
        self.assertTrue(any('"refusal":{' in text for text in texts))

    def test_no_log_has_a_text_a_key_or_an_address(self):
        for log, *_ in self.runs:
            with open(log, encoding="utf-8") as file:
                text = file.read()
            for secret in (SECRET, QUESTION[:12], ANSWER, "Rely=", "What is given", "http:", "127.0.0.1"):
                self.assertNotIn(secret, text)


class Damage(Recorded):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.log, cls.code, _, _ = cls.record("whole", "--plan", "always", "--policy", "difficulty", cloud="busy-once")

    def test_every_changed_number_is_named_with_its_line(self):
        with open(self.log, "rb") as file:
            text = file.read()
        digits = [at for at, byte in enumerate(text) if byte in b"0123456789"]

        def broken(at):
            swapped = b"1" if text[at:at + 1] != b"1" else b"2"
            path = self.changed(self.log, f"flip-{at}.log", lambda t: t[:at] + swapped + t[at + 1:])
            return at, path, self.replay(path)

        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for at, path, (code, _, err) in pool.map(broken, digits[::len(digits) // 60]):
                with self.subTest(at=at):
                    self.assertIn(code, (1, 2))
                    self.assertIn(path + ":", err)

    def test_a_changed_event_shows_what_came_of_it(self):
        path = self.changed(self.log, "usage.log", lambda t: t.replace(b'"completion":9}', b'"completion":8}', 1))
        code, out, err = self.replay(path)
        self.assertEqual(code, 1)
        self.assertIn("different", out)
        self.assertRegex(err, r"usage.log:\d+: the record of query 1: the log has record\.calls\[\d\]\S+ = 9, the replay gives 8")
        self.assertRegex(err, r"usage.log:\d+: this line is not as it was recorded")

    def test_what_is_damaged_or_no_log_is_one_sentence(self):
        torn = self.changed(self.log, "torn.log", lambda t: t[:len(t) // 2])
        empty = self.changed(self.log, "empty.log", lambda t: b"")
        foreign = self.changed(self.log, "foreign.log", lambda t: b"once upon a time\n" + t)
        newer = self.changed(self.log, "newer.log", lambda t: t.replace(b'{"log":1', b'{"log":2', 1))
        for path, words in ((torn, "is identical before it"), (empty, "empty"), (foreign, ":1: it is no line of an event log"),
                            (newer, "format 2"), ("/nonexistent", "cannot be read"), (self.folder.name, "cannot be read")):
            with self.subTest(words):
                code, out, err = self.replay(path)
                self.assertEqual((code, out), (2, ""))
                self.assertIn(words, err)
                self.assertEqual(err.count("\n"), 1)

    def test_a_log_that_stops_between_two_lines_replays_up_to_there(self):
        path = self.changed(self.log, "short.log", lambda t: b"".join(t.splitlines(True)[:9]))
        code, out, err = self.replay(path)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("8 events", out)
        self.assertIn("identical; the log ends in the middle of the run", out)
        self.assertIn("query 1: running", out)

    def test_decisions_are_explained(self):
        code, out, _ = self.replay(self.log, "--explain")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"call 1  plan -> edge")
        self.assertRegex(out, r"subtask #3 -> cloud: difficulty 7\.0 >= 5 \(utility \S+, threshold \S+, cost \S+, probability 1\)")


class Recording(Recorded):
    def test_a_cancelled_run_replays(self):
        stub = Stub()
        self.addCleanup(stub.close)
        log = self.path("cancelled.log")
        config = self.config("cancelled", stub.url, cloud="stall-for-long")
        Handler.act_stall_for_long = lambda handler, body, count: stub.released.wait(20)
        self.addCleanup(delattr, Handler, "act_stall_for_long")
        with subprocess.Popen([PROGRAM, "ask", "--config", config, "--record", log, "--plan", "never", "--policy", "cloud", QUESTION],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env={**os.environ, "TEST_KEY": SECRET}) as child:
            guard = threading.Timer(30, child.kill)
            guard.start()
            while not stub.asked("stall-for-long") and child.poll() is None:
                pass
            child.send_signal(signal.SIGINT)
            child.wait()
            guard.cancel()
        self.assertEqual(child.returncode, 130)
        code, out, _ = self.replay(log)
        self.assertEqual(code, 0)
        self.assertIn("query 1: cancelled", out)
        self.assertNotIn("middle", out)

    def test_a_killed_run_replays_as_far_as_it_was_written(self):
        stub = Stub()
        self.addCleanup(stub.close)
        log = self.path("killed.log")
        with subprocess.Popen([PROGRAM, "ask", "--config", self.config("killed", stub.url), "--record", log, QUESTION],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env={**os.environ, "TEST_KEY": SECRET}) as child:
            while not stub.asked("ok") and child.poll() is None:
                pass
            child.kill()
        code, out, err = self.replay(log)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("identical", out)

    def test_a_key_that_an_endpoint_repeats_is_in_no_log(self):
        Handler.act_repeats_key = lambda handler, body, count: handler.fail(401, f"wrong key: {handler.headers['Authorization']}")
        self.addCleanup(delattr, Handler, "act_repeats_key")
        log, code, receipt, _ = self.record("key", "--plan", "never", "--policy", "cloud", cloud="repeats-key")
        self.assertEqual(code, 0)
        self.assertIn("Bearer [key]", receipt["calls"][0]["detail"])
        with open(log, encoding="utf-8") as file:
            self.assertNotIn(SECRET, file.read())
        self.assertEqual(self.replay(log)[0], 0)

    def test_a_full_disk_does_not_stop_the_run(self):
        stub = Stub()
        self.addCleanup(stub.close)
        config = self.config("full", stub.url)
        log = self.path("full.log")

        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

        # Python ignores the signal for files that are too large, and with restore_signals=False so does the child.
        done = subprocess.run([PROGRAM, "ask", "--config", config, "--record", log, "--plan", "always", QUESTION],
                              capture_output=True, text=True, preexec_fn=small_files, restore_signals=False, check=False,
                              env={**os.environ, "TEST_KEY": SECRET}, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, "The answer is 7.\nAnswer: 7\n"))
        self.assertIn("could not be written on: File too large", done.stderr)
        code, out, err = self.replay(log)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("identical; recording was cut: File too large", out)

    def test_a_log_that_cannot_be_written_at_all_is_refused_before_the_run(self):
        stub = Stub()
        self.addCleanup(stub.close)
        code, out, err = run("ask", "--config", self.config("nowhere", stub.url), "--record", "/nonexistent/run.log", QUESTION,
                             env={"TEST_KEY": SECRET})
        self.assertEqual((code, out), (2, ""))
        self.assertIn("/nonexistent/run.log", err)
        self.assertEqual(stub.requests, [])


if __name__ == "__main__":
    unittest.main()
