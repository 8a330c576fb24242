"""Goal: `hybridflow simulate` says the same of a world and its seeds however it is asked, and what is
wrong with what it was given.
Method: the real program on shipped worlds and on small files.
"""

import json
import os
import subprocess
import tempfile
import unittest

from stub import PROGRAM

WORLD = """
[[endpoint]]
name = "edge"
tier = "edge"
first_token = "10ms"
inter_token = "1ms"
[arrivals]
kind = "poisson"
queries = 2
"""


def simulate(*arguments, stdout=subprocess.PIPE):
    done = subprocess.run([PROGRAM, "simulate", *arguments], stdout=stdout, stderr=subprocess.PIPE,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Simulate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w") as file:
                file.write(text)
        return path

    def report(self, *arguments):
        code, out, err = simulate(*arguments, "--json")
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def test_the_same_seeds_give_the_same_report_on_any_number_of_threads(self):
        one = self.report("chaos", "--seeds", "1..1500", "--jobs", "1")
        two = self.report("chaos", "--seeds", "1..1500", "--jobs", "2")
        self.assertEqual(one, two)
        self.assertEqual(one["violations"], 0)
        self.assertEqual([each["seed"] for each in one["seeds"]], list(range(1, 1501)))
        alone = self.report("chaos", "--seeds", "1234")
        self.assertEqual(alone["seeds"], [one["seeds"][1233]])
        self.assertEqual(sum(one["outcomes"].values()), one["queries"])
        self.assertEqual(one["refusals"], one["outcomes"]["refused"])
        self.assertTrue(all(one["faults"].values()), one["faults"])
        self.assertLessEqual(one["latency_ms"]["p50"], one["latency_ms"]["p99"])

    def test_a_policy_decides_where_the_money_goes(self):
        edge = self.report("quiet", "--seeds", "1..20", "--policy", "edge")
        cloud = self.report("quiet", "--seeds", "1..20", "--policy", "cloud")
        self.assertLess(edge["usd"], cloud["usd"])
        self.assertLess(edge["right"], cloud["right"])

    def test_a_trace_tells_each_seed_in_words_and_changes_no_hash(self):
        trace = self.path("trace")
        told = self.report("quiet", "--seeds", "3..4", "--trace", trace)
        with open(trace) as file:
            text = file.read()
        for seed in told["seeds"]:
            self.assertIn("# seed {seed}, hash {hash}\n".format(**seed), text)
        self.assertIn("finish 1 answered", text)
        self.assertEqual(told, self.report("quiet", "--seeds", "3..4"))
        code, out, _ = simulate("quiet", "--seeds", "3", "--trace", "-")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("# seed 3, hash " + told["seeds"][0]["hash"]))

    def test_a_file_is_a_world_too(self):
        report = self.report(self.path("w.toml", WORLD), "--seeds", "5")
        self.assertEqual(report["queries"], 2)
        self.assertEqual(report["outcomes"]["answered"], 2)
        code, out, _ = simulate(self.path("w.toml"), "--seeds", "5")
        self.assertEqual(code, 0)
        self.assertIn("violations  0\n", out)

    def check_refused(self, arguments, words):
        code, out, err = simulate(*arguments)
        self.assertEqual((code, out), (2, ""))
        self.assertIn(words, err)
        self.assertEqual(err.count("\n"), 1)

    def test_what_is_wrong_is_one_sentence(self):
        self.check_refused(["nowhere"], "There is no world 'nowhere'")
        self.check_refused([self.folder], "There is no world")
        self.check_refused([self.path("bad", WORLD + "speed = 0\n")], "bad:10:9: 'arrivals.speed'")
        for seeds in ("x", "2..1", "1..", "..3", "-1", "1..99999999999"):
            self.check_refused(["quiet", "--seeds=" + seeds], "is no range of seeds")
        self.check_refused(["quiet", "--policy", "best"], "best")
        self.check_refused(["quiet", "--json", "--trace", "-"], "standard output")
        self.check_refused(["quiet", "--trace", self.path("no/such")], "cannot be written")

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "w") as full:
            code, _, err = simulate("quiet", "--seeds", "1", stdout=full)
        self.assertEqual(code, 1)
        self.assertIn("could not be written", err)


if __name__ == "__main__":
    unittest.main()
