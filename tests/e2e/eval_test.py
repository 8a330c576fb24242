"""Goal: `hybridflow import`, `train` and `eval route` work together, keep training and test apart, and
say in one sentence what is wrong.
Method: the real program on made-up tables and outcome lines.
"""

import html.parser
import json
import os
import random
import subprocess
import tempfile
import unittest

from stub import PROGRAM


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def outcomes(count, prefix, seed):
    """Outcome lines; hard questions are those that the edge gets wrong more often."""
    luck = random.Random(seed)
    lines = []
    for number in range(count):
        hard = luck.random() < 0.5
        tokens = luck.randint(10, 200)
        arm = {"endpoint": "small", "tier": "edge", "tokens": {"prompt": 30, "completion": tokens},
               "correct": int(luck.random() < (0.2 if hard else 0.8)), "seconds": tokens / 40}
        cloud = {"endpoint": "large", "tier": "cloud", "tokens": {"prompt": 30, "completion": tokens},
                 "correct": int(luck.random() < 0.9), "usd": 30e-6 + tokens * 5e-6, "seconds": 1.0}
        lines.append(json.dumps({
            "query": f"{prefix}{number}", "category": luck.choice(["law", "physics"]),
            "text": f"{'hard' if hard else 'easy'} {prefix} question {number}",
            "arms": [arm, cloud]}))
    return "\n".join(lines) + "\n"


class Balanced(html.parser.HTMLParser):
    """Notes tags that are closed in the wrong order."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


class Eval(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.old, cls.new = cls.path("old.jsonl"), cls.path("new.jsonl")
        cls.write("old.jsonl", outcomes(400, "old", 1))
        cls.write("new.jsonl", outcomes(60, "new", 2))
        cls.weights = cls.path("weights.bin")
        cls.trained = run("train", cls.old, "--out", cls.weights, "--report", cls.path("training"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return cls.path(name)

    def evaluate(self, *arguments, seeds="2"):
        return run("eval", "route", "--weights", self.weights, "--seeds", seeds, *arguments)

    def refused(self, *arguments):
        code, out, err = self.evaluate(*arguments)
        self.assertEqual((code, out), (2, ""), err)
        self.assertEqual(err.count("\n"), 1, err)
        return err

    def test_training_prints_its_account_and_is_repeatable(self):
        code, out, _ = self.trained
        self.assertEqual(code, 0)
        for word in ("AUROC", "ECE", "to train", "old.jsonl; 400 rows"):
            self.assertIn(word, out)
        again = self.path("again.bin")
        self.assertEqual(run("train", self.old, "--out", again)[0], 0)
        with open(again, "rb") as first, open(self.weights, "rb") as second:
            self.assertEqual(first.read(), second.read())
        with open(self.path("training/index.html"), encoding="utf-8") as page:
            self.assertIn("<svg", page.read())

    def test_results_are_json_with_intervals_and_no_overshoot(self):
        code, out, err = self.evaluate("--outcomes", self.new, "--json", "--budgets", "0.1,0.5",
                                       "--orders", "shuffled,sorted,drift", "--price-change",
                                       "2x@50%", "--policies", "hybridflow,spar,oracle")
        self.assertEqual(code, 0, err)
        found = json.loads(out)
        self.assertEqual((found["queries"], found["rows_left_out"]), (60, 0))
        self.assertIn("old.jsonl", found["weights"])
        keys = {(r["policy"], r["order"], r["price_change"], r["budget"])
                for r in found["results"]}
        self.assertEqual(len(keys), 4 * 3 * 2 * 2)  # oracle-actions comes along.
        self.assertIn(("spar", "drift", "2x@50%", 0.1), keys)
        self.assertIn(("spar", "shuffled", None, 0.5), keys)
        for result in found["results"]:
            self.assertEqual(result["overshoot"], 0)
            self.assertLessEqual(result["oracle_fraction_low"], result["oracle_fraction"])
            self.assertLessEqual(result["oracle_fraction"], result["oracle_fraction_high"])
            if result["policy"] == "oracle":
                self.assertAlmostEqual(result["oracle_fraction"], 1)
        self.assertTrue(found["oracle"])

    def test_results_depend_neither_on_jobs_nor_on_the_run(self):
        def once(jobs):
            out = self.evaluate("--outcomes", self.new, "--json", "--jobs", jobs)[1]
            results = json.loads(out)["results"]
            return [{k: v for k, v in r.items() if not k.startswith("decision_ns")}
                    for r in results]
        self.assertEqual(once("1"), once("3"))

    def test_what_was_trained_on_is_refused(self):
        sentence = self.refused("--outcomes", self.old)
        self.assertIn("of 400 subtasks were in the training or calibration set", sentence)
        self.assertIn("--split test", sentence)
        self.assertIn("subtasks were in", self.refused("--outcomes", self.new, self.old))
        self.refused("--outcomes", self.old, "--split", "calibration")
        code, out, err = self.evaluate("--outcomes", self.old, "--split", "test", "--policies",
                                       "spar")
        self.assertEqual(code, 0, err)
        self.assertIn("spar", out)

    def test_tables_fit_a_screen(self):
        code, out, err = self.evaluate("--outcomes", self.new)
        self.assertEqual(code, 0, err)
        self.assertLessEqual(max(map(len, out.splitlines())), 100)

    def test_graphs_targets_and_the_page(self):
        graphs = self.write("graphs.jsonl", '{"id":"v","n":3,"edges":[[1,3],[2,3]]}\n')
        code, out, err = self.evaluate("--outcomes", self.new, "--graphs", graphs, "--targets",
                                       "--json", "--report", self.path("page"), seeds="1")
        self.assertEqual(code, 0, err)
        found = json.loads(out)
        self.assertEqual([t["name"] for t in found["targets"]],
                         ["a", "b", "c", "d, violations", "d, use", "e", "f"])
        self.assertLess(found["queries"], 25)
        with open(self.path("page/index.html"), encoding="utf-8") as file:
            page = file.read()
        check = Balanced()
        check.feed(page)
        self.assertEqual((check.wrong, check.open), ([], []))
        self.assertNotIn("http", page)
        code, out, err = self.evaluate("--outcomes", self.new, "--graphs", "asynchow",
                                       "--policies", "edge", seeds="1")
        self.assertEqual(code, 0, err)

    def test_mistakes_end_with_one_sentence(self):
        new = ("--outcomes", self.new)
        self.assertIn("no policy 'magic'", self.refused(*new, "--policies", "magic"))
        self.assertIn("'x' is no budget", self.refused(*new, "--budgets", "0.1,x"))
        self.assertIn("no order 'up'", self.refused(*new, "--orders", "up"))
        self.assertIn("2x@50%", self.refused(*new, "--price-change", "double"))
        self.assertIn("no split 'half'", self.refused(*new, "--split", "half"))
        self.assertIn("nowhere.jsonl", self.refused("--outcomes", self.path("nowhere.jsonl")))
        bad = self.write("bad.jsonl", "{}\n")
        self.assertIn("line 1", self.refused("--outcomes", bad))
        circle = self.write("circle.jsonl", '{"n":2,"edges":[[1,2],[2,1]]}\n')
        self.assertIn("circle", self.refused(*new, "--graphs", circle))
        code, _, err = run("eval", "route", *new, "--weights", bad)
        self.assertEqual(code, 2)
        self.assertIn("bad.jsonl", err)
        code, _, err = run("train", bad, "--out", self.path("x.bin"))
        self.assertEqual((code, err.count("\n")), (2, 1), err)
        code, _, err = run("train", self.old, "--out", self.path("no/folder/x.bin"))
        self.assertEqual(code, 1, err)

    def test_no_output_replaces_an_input(self):
        with open(self.old, encoding="utf-8") as file:
            before = file.read()
        code, _, err = run("train", self.old, "--out", self.old)
        self.assertEqual(code, 2)
        self.assertIn("--out would replace", err)
        code, _, err = run("import", "routellm-gsm8k", self.old, "--out", self.old)
        self.assertEqual(code, 2)
        self.assertIn("--out would replace", err)
        with open(os.path.join(os.path.dirname(__file__), "../../worlds/quiet.toml"), encoding="utf-8") as file:
            world = self.write("world.toml", file.read())
        code, _, err = run("simulate", world, "--seeds", "1", "--trace", world)
        self.assertEqual(code, 2)
        self.assertIn("--trace would replace the world", err)
        with open(self.old, encoding="utf-8") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(run("train", self.old, "--out", self.path("x.bin"), "--seed", "-1")[0], 2)

    def test_an_empty_file_of_graphs_is_no_graph(self):
        empty = self.write("empty.csv", "")
        self.refused("--outcomes", self.new, "--graphs", empty)

    def test_where_nothing_can_be_gained_no_target_is_hit(self):
        rows = []
        for i in range(80):
            arms = [{"endpoint": tier, "tier": tier, "correct": int(tier == "edge"), "prompt_tokens": 10,
                     "completion_tokens": 10, "usd": 0.001 * (tier == "cloud"), "seconds": 1.0} for tier in ("edge", "cloud")]
            rows.append(json.dumps({"query": f"w{i}", "subtask": "1", "role": "generate", "depends_on": [],
                                    "text": f"A question of no use, number {i * i}", "arms": arms}))
        worse = self.write("worse.jsonl", "\n".join(rows) + "\n")
        code, out, err = self.evaluate("--outcomes", worse, "--targets", "--policies", "edge", seeds="1")
        self.assertEqual(code, 0, err)
        self.assertEqual(out.count("  not defined here: there is nothing to compare with"), 3, out)
        self.assertNotIn("nan", out)

    def test_recorded_tables_are_imported(self):
        table = self.write("table.csv", "id,edge,cloud,chars_edge,chars_cloud,prompt\n")
        out = self.path("out.jsonl")
        self.assertEqual(run("import", "routellm-gsm8k", table, table, "--out", out)[0], 2)
        self.assertEqual(run("import", "routellm-gsm8k", table, "--edge", "x", "--out", out)[0], 2)
        self.assertEqual(run("import", "else", table, "--out", out)[0], 2)
        self.assertEqual(run("import", "mmlu-pro", table, "--out", out)[0], 2)
        code, _, err = run("import", "mmlu-pro", table, table, table, "--price-prompt", "free",
                           "--out", out)
        self.assertEqual(code, 2)
        self.assertIn("--price-prompt", err)


if __name__ == "__main__":
    unittest.main()
