"""Goal: what the oracle calls the optimum is the optimum.
Method: real slices of recorded outcomes, solved by the oracle and as an integer programme by CBC, a
solver by other people; skipped, and said so, where that is not installed.
"""

import math
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SLICE = os.environ["HYBRIDFLOW_ORACLE_SLICE"]
DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "routing"


def read_slice(kind, percent):
    done = subprocess.run([SLICE, str(DATA), kind, str(percent)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *lines, budget, best = done.stdout.splitlines()
    groups = [[tuple(map(int, option.split(":"))) for option in line.split()] for line in lines]
    value, cost, bound, exact = best.split()[1:]
    return groups, int(budget.split()[1]), int(value), int(cost), float(bound), exact == "true"


def as_programme(groups, budget):
    """One binary variable an option, one of each group is 1. Costs in the largest unit that keeps them whole."""
    unit = math.gcd(*(cost for options in groups for _, cost in options))
    terms = lambda pairs: "\n".join(f" {'+' if number >= 0 else '-'} {abs(number)} {name}"
                                    for number, name in pairs if number) or " 0 x0_0"
    named = [[(value, cost // unit, f"x{g}_{i}") for i, (value, cost) in enumerate(options)]
             for g, options in enumerate(groups)]
    every = [option for options in named for option in options]
    rows = [" c: " + terms((cost, name) for _, cost, name in every) + f" <= {budget // unit}"]
    rows += [f" g{g}: " + " + ".join(name for *_, name in options) + " = 1" for g, options in enumerate(named)]
    return "\n".join(["Maximize", " v: " + terms((value, name) for value, _, name in every), "Subject To", *rows,
                      "Binary", *(" " + name for *_, name in every), "End", ""])


def solve(programme):
    """The indexes that CBC chose, group by group."""
    with tempfile.TemporaryDirectory() as folder:
        problem, solution = os.path.join(folder, "p.lp"), os.path.join(folder, "p.sol")
        pathlib.Path(problem).write_text(programme, encoding="utf-8")
        done = subprocess.run(["cbc", problem, "ratioGap", "0", "allowableGap", "0", "sec", "100", "solve",
                               "solution", solution], capture_output=True, text=True, timeout=120)
        status, *lines = pathlib.Path(solution).read_text(encoding="utf-8").splitlines()
    assert status.startswith("Optimal - objective value"), status + done.stdout[-2000:]
    chosen = {}
    for line in lines:
        _, name, value, _ = line.split()
        if float(value) > 0.5:
            group, option = name[1:].split("_")
            chosen[int(group)] = int(option)
    return chosen


@unittest.skipUnless(shutil.which("cbc"), "cbc is not installed (Debian package coinor-cbc)")
class Oracle(unittest.TestCase):
    def check(self, kind, percent):
        with self.subTest(kind=kind, percent=percent):
            groups, budget, value, cost, bound, exact = read_slice(kind, percent)
            chosen = solve(as_programme(groups, budget))
            theirs = [options[chosen.get(g, 0)] for g, options in enumerate(groups)]
            self.assertLessEqual(sum(c for _, c in theirs), budget)
            self.assertTrue(exact)
            self.assertEqual(value, sum(v for v, _ in theirs))
            self.assertLessEqual(cost, budget)
            self.assertLessEqual(value, bound + 1e-3)

    def test_finds_the_best_questions_to_send(self):
        for percent in (5, 25):
            self.check("truth", percent)

    def test_finds_the_best_by_prediction(self):
        for percent in (10, 50):
            self.check("predicted", percent)

    def test_finds_the_best_assignments_of_graphs(self):
        for percent in (5, 25):
            self.check("graphs", percent)


if __name__ == "__main__":
    unittest.main()
