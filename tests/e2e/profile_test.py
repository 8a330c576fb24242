"""Goal: `profile` puts every task to every endpoint, keeps what is done whatever ends it, goes on where it
stopped, and never spends more than it may.
Method: the real program against scripted endpoints that can add; killed, interrupted and refused in the
middle. With the smallest real model where there is one."""

import json
import os
import re
import signal
import subprocess
import threading
import unittest

import stub
from case import WithStub, clean_environment
from engine_test import MODEL
from network_test import has_engine
from stub import PROGRAM, endpoint, run
from user_test import on_terminal

SUM = re.compile(r"What is (\d+) \+ (\d+)\?")
CALL_USD = (100 * 2 + 9 * 8) / 1e6  # At the prices of stub.endpoint().


class Adder(stub.Handler):
    """Endpoints that read the question. Model names: right, wrong, and those that `broken` names."""

    def act_ok(self, body, count):
        a, b = map(int, SUM.search(body["messages"][-1]["content"]).groups())
        script = self.server.stub.script
        if script.is_broken(body["model"], a):
            return self.fail(500, "it broke")
        if script.stalls_at == (body["model"], a):
            script.stalled.set()
            script.go_on.wait(30)
        result = a + b if not body["model"].startswith("wrong") else 0
        self.stream([f"It is {a} plus {b}.\n", f"Answer: {result}"], 100, 9)


class Script:
    def __init__(self):
        self.is_broken = lambda model, a: False
        self.stalls_at = None
        self.stalled = threading.Event()
        self.go_on = threading.Event()


class Profile(WithStub):
    def setUp(self):
        super().setUp()
        self.stub.server.RequestHandlerClass = Adder
        self.script = self.stub.script = Script()
        self.addCleanup(self.script.go_on.set)
        self.out = os.path.join(self.folder.name, "out.jsonl")
        self.pair = self.two(edge="wrong", cloud="right")

    def tasks(self, count, name="tasks.jsonl"):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            for a in range(count):
                file.write(json.dumps({"id": f"t{a}", "category": "sums", "question": f"What is {a} + 1?",
                                       "answer": f"#### {a + 1}"}) + "\n")
        return path

    def arguments(self, tasks, *more, config=None):
        return ["profile", "--tasks", tasks, "--config", config or self.pair, "--out", self.out, *more]

    def profile(self, tasks, *more, config=None):
        code, out, err = run(*self.arguments(tasks, "--json", *more, config=config))
        return code, json.loads(out) if out else None, err

    def begin(self, tasks, *more):
        """Starts a run; returns when it has come to where the script stalls."""
        process = subprocess.Popen([PROGRAM, *self.arguments(tasks, *more)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        self.assertTrue(self.script.stalled.wait(30), "it never came to the stalling task")
        return process

    def rows(self):
        with open(self.out, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def asked(self):
        """(model, first number) of each request, in order."""
        with self.stub.lock:
            return [(r["model"], int(SUM.search(r["messages"][-1]["content"])[1])) for r in self.stub.requests]


class Rows(Profile):
    def test_hold_both_arms_edge_first(self):
        config = self.config(endpoint("far", "cloud", self.stub.url, "right"),
                             endpoint("near", "edge", self.stub.url, "wrong"))
        code, summary, err = self.profile(self.tasks(3), config=config)
        self.assertEqual(code, 0, err)
        rows = self.rows()
        self.assertEqual([(r["query"], r["category"], r["text"], r["role"]) for r in rows],
                         [(f"t{a}", "sums", f"What is {a} + 1?", "generate") for a in range(3)])
        for a, row in enumerate(rows):
            near, far = row["arms"]
            self.assertEqual((near["endpoint"], near["tier"], near["correct"], near["output"]), ("near", "edge", 0, "0"))
            self.assertEqual((far["endpoint"], far["tier"], far["correct"], far["output"]),
                             ("far", "cloud", 1, str(a + 1)))
            self.assertEqual((far["prompt_tokens"], far["completion_tokens"], far["usd"]), (100, 9, CALL_USD))
            self.assertEqual(near.get("usd", 0), 0)
            self.assertGreater(far["seconds"], 0)
        self.assertEqual(self.asked(), [(m, a) for a in range(3) for m in ("wrong", "right")])
        self.assertEqual((summary["rows"], summary["written"], summary["failed"], summary["end"]), (3, 3, 0, "done"))
        self.assertAlmostEqual(summary["usd"], 3 * CALL_USD, 12)
        self.assertEqual([(a["endpoint"], a["right"], a["rows"]) for a in summary["arms"]],
                         [("near", 0, 3), ("far", 3, 3)])
        self.assertIn("6 calls (3 tasks on 2 endpoints). Estimated", err)
        self.assertIn("3/3 tasks; right: near 0/3 far 3/3", err)

    def test_are_accepted_by_what_reads_outcomes(self):
        code, _, err = self.profile(self.tasks(120), "--jobs", "8")
        self.assertEqual(code, 0, err)
        weights = os.path.join(self.folder.name, "weights.bin")
        code, _, err = run("train", self.out, "--out", weights, timeout=120)
        self.assertEqual(code, 0, err)
        code, out, err = run("eval", "route", "--outcomes", self.out, "--policies", "edge,cloud", "--budgets", "1",
                             "--orders", "shuffled", "--seeds", "1", "--weights", weights, "--split", "test", "--json",
                             timeout=120)
        self.assertEqual(code, 0, err)
        accuracy = {r["policy"]: r["accuracy"] for r in json.loads(out)["results"]}
        self.assertEqual((accuracy["edge"], accuracy["cloud"]), (0, 1))

    def test_of_choices_show_the_options_and_are_graded_by_letter(self):
        tasks = os.path.join(self.folder.name, "tasks.jsonl")
        with open(tasks, "w", encoding="utf-8") as file:
            file.write('{"question": "What is 1 + 1?", "options": ["two", "three"], "answer": "A"}\n')
        code, _, err = self.profile(tasks)
        self.assertEqual(code, 0, err)
        row = self.rows()[0]
        self.assertEqual(row["text"], "What is 1 + 1?\nA) two\nB) three")
        self.assertIn(row["text"], self.stub.requests[0]["messages"][-1]["content"])
        self.assertEqual([arm["correct"] for arm in row["arms"]], [0, 0])

    def test_are_of_the_tasks_that_skip_and_limit_leave(self):
        code, _, err = self.profile(self.tasks(9), "--skip", "2", "--limit", "3")
        self.assertEqual(code, 0, err)
        self.assertEqual([r["query"] for r in self.rows()], ["t2", "t3", "t4"])

    def test_the_summary_for_people_names_the_next_step(self):
        code, out, err = run(*self.arguments(self.tasks(3)))
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"cloud +cloud +3/3 +100\.0% +43\.9 to 100\.0 +327 +0\.0008 +\d")
        self.assertIn(f"next: hybridflow train {self.out} --out weights.bin\n", out)


    def test_on_a_terminal_progress_is_one_line_that_changes(self):
        self.script.is_broken = lambda model, a: (model, a) == ("right", 1)
        code, written = on_terminal(*self.arguments(self.tasks(3)), columns=60)
        self.assertEqual(code, 5)
        lines = written.split("\n")
        shown = [line for line in lines if line.startswith("\r")]
        self.assertEqual(len(shown), 2)  # Ended once for the failure, and once at the end.
        self.assertRegex(shown[0], r"^\r1/3 tasks; right: edge 0/1 cloud 1/1; \$0\.0003; 0:0\d left *$")
        self.assertEqual([len(part) for line in shown for part in line.split("\r")[1:]], [59] * 3)
        self.assertIn("\r3/3 tasks; right: edge 0/2 cloud 2/2; 1 failed; $0.0005", written)


class GoesOn(Profile):
    def test_after_a_kill_and_a_torn_line(self):
        tasks = self.tasks(12)
        self.script.stalls_at = ("right", 7)
        process = self.begin(tasks)
        process.kill()
        process.wait()
        self.assertEqual(len(self.rows()), 7)
        with open(self.out, "r+b") as file:
            file.truncate(os.path.getsize(self.out) - 20)
        before = len(self.asked())
        self.script.stalls_at = None
        code, summary, err = self.profile(tasks)
        self.assertEqual(code, 0, err)
        self.assertIn("its last line was torn and is cut off", err)
        self.assertIn("6 of 12 tasks have a row already.", err)
        self.assertEqual([r["query"] for r in self.rows()], [f"t{a}" for a in range(12)])
        self.assertEqual(self.asked()[before:], [(m, a) for a in range(6, 12) for m in ("wrong", "right")])
        self.assertEqual((summary["rows"], summary["written"], summary["arms"][1]["right"]), (12, 6, 12))
        before = len(self.asked())
        code, summary, err = self.profile(tasks)
        self.assertEqual((code, summary["written"], len(self.asked())), (0, 0, before), err)

    def test_after_an_interrupt(self):
        tasks = self.tasks(6)
        self.script.stalls_at = ("right", 2)
        process = self.begin(tasks, "--json")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(json.loads(out)["end"], "interrupted")
        self.assertIn(b"it was interrupted. 2 of 6 tasks are in", err)
        self.assertEqual([r["query"] for r in self.rows()], ["t0", "t1"])
        self.script.stalls_at = None
        self.assertEqual(self.profile(tasks)[0], 0)
        self.assertEqual(len(self.rows()), 6)

    def test_where_tasks_failed(self):
        self.script.is_broken = lambda model, a: model == "right" and a in (1, 3)
        tasks = self.tasks(5)
        code, summary, err = self.profile(tasks)
        self.assertEqual(code, 5, err)
        self.assertEqual((summary["written"], summary["failed"], summary["end"]), (3, 2, "done"))
        self.assertIn("task t1 failed on cloud: No endpoint could answer", err)
        self.assertIn("2 of 5 tasks failed", err)
        self.assertEqual([r["query"] for r in self.rows()], ["t0", "t2", "t4"])
        self.script.is_broken = lambda model, a: False
        self.assertEqual(self.profile(tasks)[0], 0)
        self.assertEqual([r["query"] for r in self.rows()], ["t0", "t2", "t4", "t1", "t3"])

    def test_but_gives_up_where_nothing_works(self):
        self.script.is_broken = lambda model, a: True
        code, summary, err = self.profile(self.tasks(50))
        self.assertEqual((code, summary["failed"], summary["end"]), (5, 5, "gave up"), err)
        self.assertEqual(self.rows(), [])

    def test_only_with_its_own_rows(self):
        self.assertEqual(self.profile(self.tasks(2))[0], 0)
        before = self.rows()
        other = self.config(endpoint("other", "edge", self.stub.url, "right"))
        code, _, err = self.profile(self.tasks(3), config=other)
        self.assertEqual(code, 2)
        self.assertIn('the row of "t0" is of other endpoints', err)
        changed = os.path.join(self.folder.name, "changed.jsonl")
        with open(changed, "w", encoding="utf-8") as file:
            file.write('{"id": "t1", "question": "What is 5 + 5?", "answer": 10}\n')
        self.pair = self.two(edge="wrong", cloud="right")
        code, _, err = self.profile(changed)
        self.assertEqual(code, 2)
        self.assertIn('the row of "t1" is of another question', err)
        self.assertEqual(self.rows(), before)


class Budgets(Profile):
    def bill(self):
        return sum(CALL_USD for model, _ in self.asked() if model.startswith("right"))

    def check_stops(self, budget, *more, config=None, tasks=60):
        code, summary, err = self.profile(self.tasks(tasks), *more, config=config)
        self.assertEqual((code, summary["end"]), (3, "over budget"), err)
        self.assertIn("the same command goes on from there", err)
        self.assertNotIn("..", err)
        self.assertLessEqual(self.bill(), budget)
        self.assertLessEqual(self.bill(), summary["usd"] + 1e-12)
        self.assertGreater(summary["written"], 0)
        self.assertLess(summary["written"], tasks)
        self.assertEqual(len(self.rows()), summary["written"])
        return summary

    def test_stop_it_and_hold(self):
        summary = self.check_stops(0.012, "--budget", "0.012")
        # All is used but what the next call could cost at worst.
        self.assertGreater(summary["usd"], 0.012 - 0.0075)

    def test_hold_for_tasks_at_a_time(self):
        self.check_stops(0.02, "--budget", "0.02", "--jobs", "8",
                         config=self.two(edge="wrong", cloud="right", cloud_extra="max_in_flight = 8"))

    def test_are_shared_by_all_clouds(self):
        config = self.config(endpoint("a", "cloud", self.stub.url, "right"),
                             endpoint("b", "cloud", self.stub.url, "right-too"),
                             endpoint("c", "edge", self.stub.url, "wrong"))
        self.check_stops(0.012, "--budget", "0.012", config=config)

    def test_of_the_configuration_bind_and_cannot_be_raised(self):
        config = self.two(edge="wrong", cloud="right", more="\n[budget.process]\nusd = 0.012\n")
        self.check_stops(0.012, config=config)
        os.remove(self.out)
        self.stub.requests.clear()
        self.check_stops(0.012, "--budget", "5", config=config)

    def test_that_last_bind_too(self):
        store = os.path.join(self.folder.name, "ledger.db")
        config = self.two(edge="wrong", cloud="right",
                          more=f'\n[ledger]\npath = "{store}"\n[[ledger.scopes]]\nname = "all"\nusd = 0.02\n')
        self.check_stops(0.008, "--budget", "0.008", config=config)
        first = self.bill()
        code, summary, err = self.profile(self.tasks(60), config=config)
        self.assertEqual((code, summary["end"]), (3, "over budget"), err)
        self.assertGreater(self.bill(), first)
        self.assertLessEqual(self.bill(), 0.02)

    def test_that_allow_nothing_ask_nothing_of_the_cloud(self):
        code, summary, err = self.profile(self.tasks(3), "--budget", "0")
        self.assertEqual((code, summary["written"], self.bill()), (3, 0, 0), err)

    def test_of_a_single_query_fail_that_task_only(self):
        config = self.two(edge="wrong", cloud="right", more="\n[budget]\nusd = 0.001\n")
        code, summary, err = self.profile(self.tasks(2), config=config)
        self.assertEqual((code, summary["failed"], self.bill()), (5, 2, 0), err)


class Refused(Profile):
    def expect(self, words, *arguments):
        code, out, err = run(*arguments)
        self.assertEqual((code, out), (2, ""), err)
        self.assertIn(words, err)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertEqual(self.stub.requests, [])

    def test_task_files_with_their_line(self):
        tasks = os.path.join(self.folder.name, "bad.jsonl")
        with open(tasks, "w", encoding="utf-8") as file:
            file.write('{"question": "1?", "answer": 1}\n{"question": "2?"}\n')
        self.expect("bad.jsonl: line 2: answer is missing.", *self.arguments(tasks))
        with open(tasks, "w", encoding="utf-8") as file:
            file.write('{"question": "1?", "answer": 1}\n\n{"question": "1?", "answer": 1}\n')
        self.expect("lines 1 and 3 ask the same question", *self.arguments(tasks))
        self.expect("cannot be opened", *self.arguments(tasks + ".missing"))
        self.assertFalse(os.path.exists(self.out))

    def test_options_that_make_no_sense(self):
        tasks = self.tasks(2)
        for option, value in (("--jobs", "0"), ("--limit", "0"), ("--skip", "-1"), ("--seed", "x"), ("--budget", "x"),
                              ("--budget", "")):
            with self.subTest(option + value):
                code, _, _ = run(*self.arguments(tasks, option, value))
                self.assertEqual(code, 2)
        self.expect("--skip 2 leaves none", *self.arguments(tasks, "--skip", "2"))
        self.expect("cannot be compressed", "profile", "--tasks", tasks, "--config", self.pair, "--out", self.out + ".gz")
        self.expect("--tasks", "profile", "--out", self.out)

    def test_a_file_that_another_run_writes(self):
        tasks = self.tasks(3)
        self.script.stalls_at = ("wrong", 0)
        process = self.begin(tasks)
        code, _, err = self.profile(tasks)
        self.assertEqual(code, 2)
        self.assertIn("another program is writing", err)
        self.script.go_on.set()
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0)


class RealModel(WithStub):
    def test_is_recorded_with_its_signals(self):
        if not has_engine():
            self.skipTest("this build has no engine, or its model is not here")
        out = os.path.join(self.folder.name, "out.jsonl")
        tasks = os.path.join(self.folder.name, "tasks.jsonl")
        with open(tasks, "w", encoding="utf-8") as file:
            file.write('{"question": "What is 2 + 2?", "answer": 4}\n{"question": "What is 3 + 2?", "answer": 5}\n')
        config = self.config(f'[[endpoint]]\nname = "edge"\ntier = "edge"\nengine = {{ model = "{MODEL}" }}\n'
                             "[limits]\nanswer_tokens = 48\n")
        code, _, err = run("profile", "--tasks", tasks, "--config", config, "--out", out, timeout=300)
        self.assertEqual(code, 0, err)
        with open(out, encoding="utf-8") as file:
            arms = [json.loads(line)["arms"][0] for line in file]
        self.assertEqual(len(arms), 2)
        for arm in arms:
            self.assertGreater(arm["completion_tokens"], 0)
            self.assertLess(arm["signals"]["mean_logprob"], 0)


if __name__ == "__main__":
    unittest.main()
