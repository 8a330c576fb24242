"""Goal: a run is remembered and explained, feedback is learned from and survives restarts, and no text
is kept unless somebody asked for that.
Method: the real program against scripted endpoints, with a state folder of its own.
"""

import json
import os
import pathlib
import sqlite3
import stat
import tempfile
import unittest

from case import QUESTION, WithStub
from stub import run

SPAR = '[route]\npolicy = "spar"\nexplore = 0.2\n'
QUIET = "Which of these is a prime number: 21, 33, 37 or 39? SECRETWORD"


class History(WithStub):
    def setUp(self):
        super().setUp()
        state = tempfile.TemporaryDirectory()
        self.addCleanup(state.cleanup)
        self.env = {"HYBRIDFLOW_STATE": state.name}
        self.path = os.path.join(state.name, "history.db")

    def call(self, *arguments, expect=0):
        code, out, err = run(*arguments, env=self.env)
        self.assertEqual(code, expect, err)
        return out if expect == 0 else err

    def ask_once(self, *arguments, more=SPAR, question=QUIET, **config):
        out = self.call("ask", "--config", self.two(more=more, **config), "--json", *arguments, question)
        return json.loads(out)

    def everything_kept(self):
        return b"".join(path.read_bytes() for path in pathlib.Path(self.path).parent.iterdir())

    def test_a_run_is_listed_and_explained(self):
        self.assertEqual(self.call("explain"), "no runs yet\n")
        receipt = self.ask_once("--plan", "always")
        listed = self.call("explain")
        self.assertIn(receipt["run"], listed)
        self.assertIn("spar", listed)
        text = self.call("explain", "last")
        self.assertEqual(text, self.call("explain", receipt["run"].lower()))
        for subtask in receipt["subtasks"]:
            self.assertIn(f"Subtask {subtask['id']}: done on {subtask['endpoint']}", text)
            self.assertIn(subtask["reason"][:20], " ".join(text.split()))
        self.assertIn("the edge is right with probability", " ".join(text.split()))
        self.assertIn("worth", text)
        self.assertTrue(all(len(line) <= 80 for line in text.splitlines()), text)
        self.assertNotIn("\x1b", text)
        one = self.call("explain", "last", "2")
        self.assertIn("Subtask 2:", one)
        self.assertNotIn("Subtask 3:", one)

    def test_explains_as_json(self):
        receipt = self.ask_once("--plan", "always")
        document = json.loads(self.call("explain", "last", "--json"))
        self.assertEqual(document["run"], receipt["run"])
        self.assertEqual(document["totals"], receipt["totals"])
        subtask = json.loads(self.call("explain", receipt["run"][:20], "3", "--json"))
        self.assertEqual(subtask["id"], "3")
        self.assertEqual(subtask["edge_chance"], receipt["subtasks"][2]["edge_chance"])
        runs = json.loads(self.call("explain", "--json"))["runs"]
        self.assertEqual([r["run"] for r in runs], [receipt["run"]])

    def test_what_is_not_there_is_said(self):
        self.assertIn("no run", self.call("explain", "last", expect=2))
        self.assertIn("no run", self.call("feedback", "last", "--correct", "1", expect=2))
        self.ask_once()
        self.assertIn("no run 'ZZ'", self.call("explain", "ZZ", expect=2))
        self.assertIn("no subtask '9'", self.call("explain", "last", "9", expect=2))
        self.assertIn("subtask '9'", self.call("feedback", "last", "--correct", "1", "--subtask", "9", expect=2))
        self.call("feedback", "last", "--correct", "2", expect=2)
        self.call("feedback", "last", "--correct", "nan", expect=2)

    def test_texts_are_not_kept_by_default(self):
        answer = self.ask_once("--plan", "always")["answer"]
        kept = self.everything_kept()
        for text in ("SECRETWORD", "prime", "What is given?", answer):
            self.assertNotIn(text.encode(), kept, text)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_texts_are_kept_if_asked_for(self):
        self.ask_once("--plan", "always", more=SPAR + "[history]\ntexts = true\n")
        self.assertIn("SECRETWORD", self.call("explain"))
        self.assertIn("SECRETWORD", self.call("explain", "last"))
        self.assertIn("What is given?", self.call("explain", "last", "--json"))

    def test_can_be_switched_off(self):
        self.ask_once(more=SPAR + "[history]\nenabled = false\n")
        self.assertFalse(os.path.exists(self.path))

    def test_a_wrong_setting_is_refused(self):
        for wrong in ("keep = 3", 'keep = "0s"', "text = true", 'enabled = "yes"'):
            config = self.two(more=f"[history]\n{wrong}\n")
            self.assertIn("config.toml", self.call("ask", "--config", config, QUESTION, expect=2), wrong)

    def test_old_runs_go_at_the_next_write(self):
        old = self.ask_once()["run"]
        with sqlite3.connect(self.path) as db:
            db.execute("UPDATE run SET at = at - 86400 * 3")
        self.ask_once(more=SPAR + '[history]\nkeep = "2d"\n')
        self.assertNotIn(old, self.call("explain"))

    def test_a_history_that_cannot_be_written_changes_nothing_but_says_so(self):
        with open(self.path, "wb") as file:
            file.write(b"no history" * 1000)
        code, out, err = run("ask", "--config", self.two(more=SPAR), QUESTION, env=self.env)
        self.assertEqual(code, 0)
        self.assertIn("Answer: 7", out)
        self.assertIn("the run is not kept", err)
        self.assertIn("history.db is damaged", self.call("explain", expect=1))
        self.assertIn("history.db is damaged", self.call("route", "status", "--config", self.two(), expect=1))

    def test_feedback_is_counted_once_and_survives(self):
        receipt = self.ask_once()
        run_id = receipt["run"]
        # Edge and cloud of the stub say the same.
        agreed = sum("attempt" in s and s["tier"] == "cloud" for s in receipt["subtasks"])
        said = self.call("feedback", "last", "--correct", "0")
        self.assertIn(f"noted for the answer of {run_id}: 0\n", said)
        self.assertIn("candidate not promoted: 1 of 30 labels", said)
        self.assertIn("1 of 30 labels", self.call("feedback", run_id[:20], "--correct", "1"))
        config = self.two(more=SPAR)
        status = json.loads(self.call("route", "status", "--config", config, "--json"))
        self.assertEqual(status["labels"], {"user": 1, "agreement": agreed})
        self.assertEqual(status["runs"], 1)
        self.assertEqual(len(status["weights"]["digest"]), 16)
        self.assertEqual(status["serving"]["rows"], 1)
        self.assertEqual(status["serving"]["reliability"][0]["observed"], 1)
        # With nothing wrong there is nothing to tell right from.
        self.assertEqual((status["serving"]["auroc"], status["candidate"]["auroc"]), (None, None))
        self.assertFalse(status["corrected"])
        told = self.call("route", "status", "--config", config)
        self.assertIn("labels: 1 by users", told)
        self.assertIn("AUROC n/a\n", told)

    def test_a_step_can_be_judged(self):
        self.ask_once("--plan", "always")
        self.assertIn("noted for subtask 2 of", self.call("feedback", "last", "--correct", "0.5", "--subtask", "2"))

    def test_without_weights_nothing_is_learned(self):
        self.ask_once(more='[route]\npolicy = "spar"\nweights = "none"\n')
        self.assertIn("nothing is learned", self.call("feedback", "last", "--correct", "1"))

    def label_many(self, count, correct):
        """As if the last run had been made and judged that often."""
        with sqlite3.connect(self.path) as db:
            for i in range(count):
                columns = ("subtask, label, is_sink, is_cloud, was_tried, was_open, edge_chance, cloud_chance,"
                           "edge_served, cloud_served, utility, threshold, propensity, attempt_worth")
                db.execute("INSERT INTO run SELECT ?, at, policy, weights, outcome, pico_usd, tokens, question,"
                           "receipt, key FROM run WHERE id = (SELECT max(id) FROM run WHERE id NOT LIKE 'Z%')", (f"Z{i:04}",))
                db.execute(f"INSERT INTO choice SELECT ?, {columns} FROM choice WHERE is_sink AND run ="
                           "(SELECT max(id) FROM run WHERE id NOT LIKE 'Z%')", (f"Z{i:04}",))
                db.execute("INSERT INTO label VALUES (?, 0, 0, ?)", (f"Z{i:04}", correct))

    def test_what_was_promoted_serves_the_next_run_and_its_log_replays(self):
        first = self.ask_once("--plan", "never")
        self.label_many(60, 0.0)
        said = self.call("feedback", "last", "--correct", "0")
        self.assertIn("promoted: ", said)
        config = self.two(more=SPAR)
        self.assertTrue(json.loads(self.call("route", "status", "--config", config, "--json"))["corrected"])
        log = os.path.join(self.folder.name, "run.log")
        second = self.ask_once("--plan", "never", "--record", log)
        def served(receipt):
            subtask = receipt["subtasks"][0]
            decision = (subtask.get("earlier") or [subtask])[0]
            return decision, {a["endpoint"]: a["chance"] for a in decision["alternatives"] if a["action"] == "run"}
        before, chances_before = served(first)
        after, chances_after = served(second)
        self.assertEqual(before["edge_chance"], after["edge_chance"])
        self.assertNotEqual(chances_before, chances_after)
        replayed = json.loads(self.call("replay", log, "--json"))
        self.assertTrue(replayed["identical"])


if __name__ == "__main__":
    unittest.main()
