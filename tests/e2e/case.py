"""What the tests of the whole program share: a scripted endpoint, a configuration, receipts that add up."""

import json
import os
import select
import subprocess
import tempfile
import unittest

from stub import PROGRAM, Stub, endpoint, run

QUESTION = "Ann has 3 apples and 4 pears. Ben has 2 plums and 5 figs. How many fruits are there?"


def clean_environment(**more):
    """This process's environment without what would add endpoints or proxies to the program's."""
    left_out = ("OPENAI_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {**{k: v for k, v in os.environ.items() if not k.upper().startswith(left_out)}, **more}


def run_measured(*arguments, env=None, timeout=60):
    """Runs the program; returns (exit code, stdout, stderr, peak memory in bytes)."""
    # Into files, so that nothing has to be read while wait4 tells what this very child has used.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                              env=env or clean_environment()) as child:
            code, usage = wait_measured(child, timeout)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return code, *texts, usage.ru_maxrss * 1024


def wait_measured(child, timeout):
    """Like child.wait(timeout); returns its exit code and what it has used."""
    descriptor = os.pidfd_open(child.pid)
    try:
        if not select.select([descriptor], [], [], timeout)[0]:
            child.kill()
            raise subprocess.TimeoutExpired(child.args, timeout)
        _, status, usage = os.wait4(child.pid, 0)
    finally:
        os.close(descriptor)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage


def check_sums(test, receipt):
    """Everything in a receipt that is said twice is said alike, and nothing is left open."""
    calls = receipt["calls"]
    totals = receipt["totals"]
    tokens = lambda call: call["prompt_tokens"] + call["completion_tokens"]
    for tier in ("edge", "cloud"):
        mine = [c for c in calls if c["tier"] == tier]
        test.assertEqual(totals[tier + "_calls"], len(mine))
        test.assertEqual(totals[tier + "_tokens"], sum(tokens(c) for c in mine))
    test.assertEqual(totals["pico_usd"], sum(c["pico_usd"] for c in calls))
    test.assertEqual(totals["planner_tokens"], sum(tokens(c) for c in calls if c["kind"] == "planner"))
    for subtask in receipt["subtasks"]:
        mine = [c for c in calls if c["subtask"] == subtask["id"]]
        test.assertEqual(subtask["attempts"], len(mine))
        for field in ("prompt_tokens", "cached_tokens", "completion_tokens", "pico_usd"):
            test.assertEqual(subtask[field], sum(c[field] for c in mine))
    budget = receipt["budget"]
    test.assertEqual(budget["usd"]["held"], 0)
    test.assertEqual(budget["cloud_tokens"]["held"], 0)
    test.assertEqual(budget["cloud_tokens"]["spent"], totals["cloud_tokens"])
    test.assertTrue(all(c["status"] != "running" for c in calls))
    # What nothing relies on may have run before the end of the plan told so.
    known = {s["id"] for s in receipt["plan"]["steps"]} | set(receipt["plan"].get("pruned", []))
    test.assertLessEqual({s["id"] for s in receipt["subtasks"]}, known)


class WithStub(unittest.TestCase):
    def setUp(self):
        self.stub = Stub()
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.stub.close()
        self.folder.cleanup()

    def config(self, *endpoints, more=""):
        path = os.path.join(self.folder.name, "config.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(endpoints) + more)
        return path

    def two(self, edge="edge-ok", cloud="cloud-ok", more="", edge_extra="", cloud_extra=""):
        return self.config(endpoint("edge", "edge", self.stub.url, edge, edge_extra),
                           endpoint("cloud", "cloud", self.stub.url, cloud, cloud_extra), more=more)

    def ask(self, config, *arguments, question=QUESTION):
        code, out, err = run("ask", "--config", config, "--json", *arguments, question)
        receipt = json.loads(out) if out else None
        if receipt:
            self.check_sums(receipt)
        return code, receipt, err

    def check_sums(self, receipt):
        check_sums(self, receipt)
