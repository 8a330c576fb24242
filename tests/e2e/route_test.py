"""Goal: every policy routes live queries, and one that looks at what the edge says of its own answer keeps it,
or has the cloud do it again, as it should; what the user sees is the one answer that stands.
Method: the real program against scripted endpoints that tell how sure they are."""

import json
import os
import unittest

from case import WithStub
from stub import run

POLICIES = ("edge", "cloud", "random", "category", "fixed", "difficulty", "hybridflow", "hybridflow-release", "knn",
            "linucb", "pacer", "zcl", "dual", "frugal", "ucci", "dot", "spar")
SPAR = '[budget]\nusd = 0.02\n[route]\npolicy = "spar"\nweights = "none"\n'
LOGPROBS = "logprobs = true"


class Attempts(WithStub):
    def config_for(self, edge, cloud="ok"):
        return self.two(edge=edge, cloud=cloud, edge_extra=LOGPROBS + '\nlocality = "local"\n', more=SPAR)

    def whole(self, edge, *arguments, cloud="ok", question="What is 3 + 4?"):
        return self.ask(self.config_for(edge, cloud), "--plan", "never", *arguments, question=question)

    def test_a_sure_edge_keeps_its_answer(self):
        code, receipt, _ = self.whole("sure", question="Which number comes after four?")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["answer"], "The edge says 5. Answer: 5")
        (subtask,) = receipt["subtasks"]
        self.assertEqual(subtask["tier"], "edge")
        self.assertEqual(receipt["totals"]["cloud_calls"], 0)
        self.assertAlmostEqual(subtask["attempt"]["signals"]["mean_logprob"], -0.01)
        self.assertAlmostEqual(subtask["attempt"]["signals"]["low_logprob"], -0.01, places=6)
        self.assertEqual(subtask["attempt"]["output"], receipt["answer"])
        self.assertEqual([d["action"] for d in subtask["earlier"]], ["attempt"])
        self.assertEqual(self.stub.asked("sure")[0]["top_logprobs"], 2)

    def test_an_unsure_edge_is_done_again_by_the_cloud(self):
        log = os.path.join(self.folder.name, "run.log")
        code, receipt, _ = self.whole("unsure", "--record", log)
        self.assertEqual(code, 0)
        self.assertEqual(receipt["answer"], "The answer is 7.\nAnswer: 7")
        (subtask,) = receipt["subtasks"]
        self.assertEqual((subtask["tier"], subtask["attempts"]), ("cloud", 2))
        self.assertEqual(subtask["attempt"]["output"], "The edge says 5. Answer: 5")
        self.assertIn("after an attempt", subtask["reason"])
        tried = {(a["endpoint"], a["action"]) for a in subtask["earlier"][0]["alternatives"]}
        self.assertLessEqual({("edge", "run"), ("edge", "attempt"), ("cloud", "run")}, tried)
        code, out, err = run("replay", log)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("identical", out)

    def test_only_the_answer_that_stands_is_shown(self):
        config = self.config_for("unsure")
        code, out, _ = run("ask", "--config", config, "--plan", "never", "How much is 3 + 4?")
        self.assertEqual((code, out), (0, "The answer is 7.\nAnswer: 7\n"))

    def test_an_answer_without_a_result_is_done_again(self):
        # It asks for a number, and the edge tells none.
        self.handler_says("wordy", ["I would rather not say what it might come to, because " * 4])
        code, receipt, _ = self.whole("wordy")
        self.assertEqual(code, 0)
        (subtask,) = receipt["subtasks"]
        self.assertFalse(subtask["attempt"]["has_answer"])
        self.assertEqual(subtask["tier"], "cloud")

    def handler_says(self, name, texts):
        handler = self.stub.server.RequestHandlerClass
        setattr(handler, "act_" + name, lambda self, body, count: self.stream(texts, 90, 40))
        self.addCleanup(delattr, handler, "act_" + name)

    def test_the_attempt_is_the_answer_if_the_cloud_cannot(self):
        code, receipt, _ = self.whole("unsure", cloud="server-error")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["outcome"], "degraded")
        self.assertEqual(receipt["answer"], "The edge says 5. Answer: 5")
        self.assertIn("ran on the edge", " ".join(receipt["degraded"]))

    def test_what_must_stay_local_is_not_done_again_elsewhere(self):
        code, receipt, _ = self.whole("unsure", "--local")
        self.assertEqual((code, receipt["totals"]["cloud_calls"]), (0, 0))
        self.assertEqual(receipt["answer"], "The edge says 5. Answer: 5")
        self.assertEqual(self.stub.asked("ok"), [])

    def test_a_budget_of_nothing_keeps_every_attempt(self):
        code, receipt, _ = self.whole("unsure", "--budget-usd", "0")
        self.assertEqual((code, receipt["totals"]["pico_usd"]), (0, 0))
        self.assertEqual(receipt["answer"], "The edge says 5. Answer: 5")


class Policies(WithStub):
    def test_every_policy_routes_a_plan_and_replays(self):
        for policy in POLICIES:
            with self.subTest(policy=policy):
                more = f'[budget]\nusd = 0.02\n[route]\npolicy = "{policy}"\n'
                config = self.two(edge="unsure", cloud="ok", edge_extra=LOGPROBS, more=more)
                log = os.path.join(self.folder.name, policy + ".log")
                code, receipt, err = self.ask(config, "--plan", "always", "--record", log)
                self.assertEqual((code, receipt["outcome"]), (0, "answered"), err)
                self.assertEqual(receipt["policy"], policy)
                self.assertTrue(all(s["state"] == "done" and s["reason"] for s in receipt["subtasks"]))
                self.assertEqual(run("replay", log)[0], 0)

    def test_weights_are_named_and_checked(self):
        damaged = os.path.join(self.folder.name, "weights.bin")
        with open(damaged, "wb") as file:
            file.write(b"no weights")
        for weights, said in ((damaged, damaged), ("/nowhere.bin", "cannot be read")):
            more = f'[route]\npolicy = "spar"\nweights = "{weights}"\n'
            code, _, err = self.ask(self.two(more=more))
            self.assertEqual(code, 2)
            self.assertIn(said, err)

    def test_a_run_by_other_weights_is_replayed_with_them_only(self):
        rows = os.path.join(self.folder.name, "rows.jsonl")
        arm = lambda name, tier, right: {"endpoint": name, "tier": tier, "correct": right, "prompt_tokens": 50,
                                         "completion_tokens": 20, "usd": 0.001 * (tier == "cloud"), "seconds": 1.0}
        with open(rows, "w", encoding="utf-8") as file:
            for i in range(300):
                row = {"query": f"q{i}", "subtask": "1", "role": "generate", "depends_on": [],
                       "text": f"What is {i} + {i * 7}?", "arms": [arm("edge", "edge", i % 2), arm("cloud", "cloud", 1)]}
                file.write(json.dumps(row) + "\n")
        weights = os.path.join(self.folder.name, "own.bin")
        self.assertEqual(run("train", rows, "--out", weights)[0], 0)
        config = self.two(edge="sure", edge_extra=LOGPROBS, more=f'[route]\npolicy = "spar"\nweights = "{weights}"\n')
        log = os.path.join(self.folder.name, "run.log")
        self.assertEqual(self.ask(config, "--record", log)[0], 0)
        code, _, err = run("replay", log)
        self.assertEqual(code, 2)
        self.assertIn("name its weights with --weights", err)
        code, _, err = run("replay", log, "--weights", "/nowhere.bin")
        self.assertEqual(code, 2)
        self.assertTrue(err.endswith("The weights '/nowhere.bin' cannot be read.\n"), err)
        self.assertEqual(run("replay", log, "--weights", weights)[0], 0)


if __name__ == "__main__":
    unittest.main()
