"""Goal: a budget that outlives the program holds over many runs, several at once, and runs that are killed.
Method: the real program against a scripted endpoint that keeps its own bill, sharing one ledger."""

import json
import os
import signal
import subprocess
import unittest

from case import QUESTION, WithStub, clean_environment
from stub import PROGRAM, endpoint, run

CALL = 100 * 2_000_000 + 9 * 8_000_000  # What the scripted endpoint charges for one answer, in picodollars.


class DurableBudget(WithStub):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder.name, "ledger.db")

    def ledger(self, usd, more=""):
        return f'[ledger]\npath = "{self.path}"\n[[ledger.scopes]]\nname = "team"\nusd = {usd}\n{more}'

    def cloud(self, usd, model="cloud-ok", more="", extra=""):
        return self.config(endpoint("cloud", "cloud", self.stub.url, model, extra), more=self.ledger(usd, more))

    def ask_whole(self, config, *arguments):
        code, out, err = run("ask", "--config", config, "--json", "--plan", "never", *arguments, "What is 3 + 4?")
        return code, json.loads(out) if out else None, err

    def scope(self, name="team"):
        code, out, err = run("ledger", "show", "--store", self.path, "--json")
        self.assertEqual(code, 0, err)
        shown = json.loads(out)
        return next(s for s in shown["scopes"] if s["name"] == name)["pico_usd"], shown["leases"]

    def test_runs_spend_from_one_budget_until_it_refuses(self):
        config = self.cloud("0.0105")
        answered = 0
        while True:
            code, receipt, _ = self.ask_whole(config)
            if code != 0:
                break
            answered += 1
            self.assertEqual(self.scope()[0]["spent"], answered * CALL)
        self.assertEqual(code, 3)
        self.assertIn("the team budget allows $0.0105", receipt["error"])
        self.assertGreater(answered, 3)
        usd, leases = self.scope()
        self.assertLessEqual(usd["spent"], usd["limit"])
        self.assertEqual((usd["leased"], leases), (0, []))

    def test_without_money_the_edge_does_it_and_the_answer_says_so(self):
        config = self.config(endpoint("edge", "edge", self.stub.url, "edge-ok"),
                             endpoint("cloud", "cloud", self.stub.url, "cloud-ok"), more=self.ledger("0.000001"))
        code, receipt, _ = self.ask_whole(config, "--policy", "cloud")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["outcome"], "degraded")
        self.assertEqual({c["tier"] for c in receipt["calls"]}, {"edge"})
        self.assertIn("budget", receipt["degraded"][0])

    def test_a_scope_within_a_scope_counts_in_both(self):
        config = self.cloud("1", more='[[ledger.scopes]]\nname = "session"\nparent = "team"\nusd = 0.5\n')
        self.assertEqual(self.ask_whole(config)[0], 0)
        self.assertEqual(self.ask_whole(config, "--scope", "team")[0], 0)
        self.assertEqual(self.scope("session")[0]["spent"], CALL)
        self.assertEqual(self.scope("team")[0]["spent"], 2 * CALL)

    def test_bad_scopes_and_stores_are_refused_in_one_sentence(self):
        config = self.cloud("1")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("this is no ledger, whatever its name says\n" * 100)
        folder = self.folder.name
        for arguments, words in ((("--scope", "nobody"), "nobody"), ((), "ledger.db")):
            with self.subTest(words):
                code, receipt, err = self.ask_whole(config, *arguments)
                self.assertEqual((code, receipt), (2 if arguments else 1, None))
                self.assertEqual(err.count("\n"), 1)
                self.assertIn(words, err)
        self.path = folder
        self.assertEqual(self.ask_whole(self.cloud("1"))[0], 1)
        self.assertEqual(self.stub.requests, [])

    def test_runs_at_the_same_time_share_it(self):
        config = self.cloud("0.03")
        runs = [subprocess.Popen([PROGRAM, "ask", "--config", config, "--json", "--plan", "never", "What is 3 + 4?"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
                for _ in range(4)]
        codes = [(process.communicate(), process.returncode)[1] for process in runs]
        self.assertTrue(set(codes) <= {0, 3}, codes)
        self.assertIn(0, codes)
        usd, leases = self.scope()
        self.assertEqual(usd["spent"], codes.count(0) * CALL)
        self.assertEqual(leases, [])

    def test_what_a_killed_run_may_have_cost_stays_counted_until_it_is_reconciled(self):
        config = self.cloud("0.05", model="stall")
        process = subprocess.Popen([PROGRAM, "ask", "--config", config, "--json", "--plan", "never", "What is 3 + 4?"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
        self.stub.wait_for_request()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        usd, (lease,) = self.scope()
        self.assertEqual(lease["owner"]["state"], "dead")
        self.assertGreaterEqual(usd["leased"], CALL)
        # The next run spends beside it.
        self.assertEqual(self.ask_whole(self.cloud("0.05"))[0], 0)
        code, out, err = run("ledger", "reconcile", "--store", self.path)
        self.assertEqual(code, 0, err)
        usd, leases = self.scope()
        self.assertEqual((usd["leased"], leases), (0, []))
        self.assertGreaterEqual(usd["spent"], 2 * CALL)
        self.assertLessEqual(usd["spent"], usd["limit"])

    def test_a_plan_on_both_tiers_books_what_its_receipt_says(self):
        config = self.config(endpoint("edge", "edge", self.stub.url, "edge-ok"),
                             endpoint("cloud", "cloud", self.stub.url, "cloud-ok"), more=self.ledger("1"))
        code, receipt, _ = self.ask(config, "--plan", "always", "--policy", "cloud", question=QUESTION)
        self.assertEqual(code, 0)
        self.assertEqual(self.scope()[0]["spent"], receipt["totals"]["pico_usd"])


if __name__ == "__main__":
    unittest.main()
