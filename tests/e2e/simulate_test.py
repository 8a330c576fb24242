"""Goal: `hybridflow simulate` says the same of a world and its seeds however it is asked, and what is
wrong with what it was given.
Method: the real program on shipped worlds and on small files.
"""

import json
import os
import shlex
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

# The one call takes hours, while the clock jumps and the other endpoint crashes every second. A run
# of more than 110,000 events is given up, and a query that never finished is a broken rule: an
# honest way to see a checker fire, under some of the seeds.
RESTLESS = """
[[endpoint]]
name = "edge"
tier = "edge"
first_token = { uniform = ["1h", "24h"] }
inter_token = "0ms"
timeouts = { connect = "1s", first_token = "24h", gap = "24h", total = "24h" }
[[endpoint]]
name = "cloud"
tier = "cloud"
first_token = "1s"
inter_token = "0ms"
crash = { every = "1s", down = "1s" }
[planner]
whole = 1.0
[clock]
every = "1s"
by = "1ms"
[arrivals]
kind = "poisson"
queries = 1
[route]
policy = "edge"
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

    def test_a_broken_rule_is_told_with_its_seed_and_the_command_that_replays_it(self):
        world = self.path("a restless world.toml", RESTLESS)
        code, out, err = simulate(world, "--seeds", "1..8", "--policy", "edge", "--json")
        self.assertEqual(code, 1)
        report = json.loads(out)
        broken = {each["seed"]: each for each in report["seeds"] if "violations" in each}
        self.assertTrue(0 < len(broken) < 8, broken)
        self.assertEqual(report["violations"],
                         sum(len(each["violations"]) for each in broken.values()))
        for seed, each in broken.items():
            for violation in each["violations"]:
                self.assertIn(f"hybridflow: seed {seed}: {violation}\n", err)
            self.assertIn("never finished", "".join(each["violations"]))

        commands = [line.split("replay it: ")[1] for line in err.splitlines()
                    if "replay it: " in line]
        self.assertEqual(len(commands), len(broken))
        for command, (seed, each) in zip(commands, broken.items()):
            words = shlex.split(command)
            self.assertEqual(words[:2] + words[3:],
                             ["hybridflow", "simulate", "--seeds", str(seed), "--policy", "edge",
                              "--trace", "-"])
            code, out, again = simulate(*words[2:])
            self.assertEqual(code, 1)
            self.assertTrue(out.startswith("# seed {seed}, hash {hash}\n".format(**each)))
            self.assertIn(f"violations  {len(each['violations'])}\n", out)
            for violation in each["violations"]:
                self.assertIn(f"hybridflow: seed {seed}: {violation}\n", again)
        fine = next(seed for seed in range(1, 9) if seed not in broken)
        self.assertEqual(simulate(world, "--seeds", str(fine))[0], 0)

    def check_refused(self, arguments, words):
        code, out, err = simulate(*arguments)
        self.assertEqual((code, out), (2, ""))
        self.assertIn(words, err)
        self.assertEqual(err.count("\n"), 1)

    def test_what_is_wrong_is_one_sentence(self):
        self.check_refused(["nowhere"], "There is no world 'nowhere'")
        self.check_refused([self.folder], "There is no world")
        self.check_refused([self.path("bad", WORLD + "speed = 0\n")], "bad:10:9: 'arrivals.speed'")
        self.check_refused([self.path("bad", WORLD + "[route]\npolicy = []\n")],
                           "'route.policy' must be one policy or more")
        for slots in ("0", "0.5", "-1"):
            world = WORLD.replace('first_token', f'slots = {slots}\nfirst_token')
            self.check_refused([self.path("bad", world)], "'endpoint.slots' must be")
        for seeds in ("x", "2..1", "1..", "..3", "-1", "1..99999999999"):
            self.check_refused(["quiet", "--seeds=" + seeds], "is no range of seeds")
        self.check_refused(["quiet", "--policy", "best"], "best")
        self.check_refused(["quiet", "--json", "--trace", "-"], "standard output")
        self.check_refused(["quiet", "--trace", self.path("no/such")], "cannot be written")

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "w") as full:
            code, _, err = simulate("quiet", "--seeds", "1", stdout=full)
        self.assertEqual(code, 1)
        self.assertIn("could not all be written", err)
        code, _, err = simulate("quiet", "--seeds", "1..50", "--trace", "/dev/full")
        self.assertEqual(code, 1)
        self.assertEqual(err, "hybridflow: The trace could not all be written to '/dev/full'; check the disk or the "
                              "file behind it.\n")

    def test_a_reader_that_has_seen_enough_is_no_failure(self):
        # Less and more than fits into a pipe.
        for arguments in (["--seeds", "1"], ["--seeds", "1..20", "--trace", "-"], ["--seeds", "1..2000", "--json"]):
            out, end = os.pipe()
            os.close(out)
            with open(end, "w") as closed:
                code, _, err = simulate("quiet", *arguments, stdout=closed)
            self.assertEqual(code, 0, err)
            self.assertNotIn("hybridflow:", err)

if __name__ == "__main__":
    unittest.main()
