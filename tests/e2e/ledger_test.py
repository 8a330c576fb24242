"""Goal: a person sees what is spent and lent, settles what a crash left, and is told when the ledger
cannot be trusted.
Method: the real program on ledgers that a small tool writes.
"""

import json
import os
import subprocess
import tempfile
import unittest

from stub import PROGRAM

MAKE_LEDGER = os.environ["HYBRIDFLOW_MAKE_LEDGER"]
CENT = 10**10  # In picodollars.


class Ledger(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(folder.name, "ledger.db")

    def run_ledger(self, *arguments, **environment):
        done = subprocess.run([PROGRAM, "ledger", *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **environment})
        return done.returncode, done.stdout, done.stderr

    def make(self, owner):
        process = subprocess.Popen([MAKE_LEDGER, self.path, owner], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.assertEqual(process.stdout.readline(), "ready\n")
        if owner == "dead":
            process.wait()

    def show(self):
        code, out, err = self.run_ledger("show", "--json", HYBRIDFLOW_STATE=self.folder)
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)

    def test_shows_scopes_leases_and_open_calls(self):
        self.make("dead")
        shown = self.show()
        self.assertEqual(shown["version"], 1)
        self.assertEqual(shown["store"], self.path)
        process, key = shown["scopes"]
        self.assertEqual((process["name"], process["parent"]), ("process", None))
        self.assertEqual((key["name"], key["parent"]), ("key:a", "process"))
        self.assertEqual(process["pico_usd"],
                         {"limit": 100 * CENT, "spent": 3 * CENT, "leased": 37 * CENT, "left": 60 * CENT})
        self.assertEqual(key["cloud_tokens"], {"limit": 10000, "spent": 300, "leased": 3700, "left": 6000})
        self.assertEqual(key["pico_usd"]["limit"], None)
        self.assertEqual(key["pico_usd"]["left"], None)
        lease, = shown["leases"]
        self.assertEqual(lease["owner"], {"pid": 4242, "state": "dead"})
        self.assertEqual(lease["window"], {"pico_usd": 10 * CENT, "cloud_tokens": 1000})
        self.assertEqual(lease["settled_calls"], 1)
        self.assertEqual(lease["open_calls"],
                         [{"id": 2, "worst": {"pico_usd": 5 * CENT, "cloud_tokens": 500}}])

    def test_shows_it_in_words(self):
        self.make("dead")
        code, out, _ = self.run_ledger("show", "--store", self.path)
        self.assertEqual(code, 0)
        self.assertIn("lease 1 on key:a: process 4242, dead, since 2023-11-14 22:13:20 UTC\n", out)
        self.assertIn("  has settled 1 calls for 0.03 USD and 300 cloud tokens\n", out)
        self.assertIn("  call 2 is open: at most 0.05 USD and 500 cloud tokens\n", out)
        self.assertRegex(out, r"\nprocess +USD +1 +0\.03 +0\.37 +0\.6\n")
        self.assertRegex(out, r"\n  below process +tokens +10000 +300 +3700 +6000\n")

    def test_reconciles_what_a_dead_process_left(self):
        self.make("dead")
        code, out, _ = self.run_ledger("reconcile", "--store", self.path, "--json")
        self.assertEqual(code, 0)
        resolved, = json.loads(out)["reconciled"]
        # The open call and the window; the rest cannot have been spent.
        self.assertEqual(resolved["booked"], {"pico_usd": 15 * CENT, "cloud_tokens": 1500})
        self.assertEqual(resolved["returned"], {"pico_usd": 22 * CENT, "cloud_tokens": 2200})
        shown = self.show()
        self.assertEqual(shown["leases"], [])
        self.assertEqual(shown["scopes"][0]["pico_usd"],
                         {"limit": 100 * CENT, "spent": 18 * CENT, "leased": 0, "left": 82 * CENT})
        code, out, _ = self.run_ledger("reconcile", "--store", self.path)
        self.assertEqual((code, out), (0, "nothing to reconcile: no lease has a dead owner\n"))

    def test_says_in_words_what_it_reconciled(self):
        self.make("dead")
        self.assertEqual(self.run_ledger("reconcile", "--store", self.path), (
            0, "lease 1 on key:a: process 4242, dead: booked 0.15 USD and 1500 cloud tokens as spent, "
               "returned 0.22 USD and 2200 cloud tokens\n", ""))

    def test_leaves_the_lease_of_a_living_process_alone(self):
        self.make("alive")
        self.assertEqual(self.show()["leases"][0]["owner"]["state"], "alive")
        for more in ([], ["--elsewhere"]):
            code, out, _ = self.run_ledger("reconcile", "--store", self.path, *more)
            self.assertEqual((code, out), (0, "nothing to reconcile: no lease has a dead owner\n"))
        self.assertEqual(len(self.show()["leases"]), 1)

    def test_makes_no_ledger_by_looking_for_one(self):
        code, out, err = self.run_ledger("show", HYBRIDFLOW_STATE=self.folder)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f"there is no ledger at {self.path}", err)
        self.assertFalse(os.path.exists(self.path))

    def test_looks_where_the_environment_says(self):
        for environment, place in (
                ({"HYBRIDFLOW_STATE": "/nowhere/a"}, "/nowhere/a/ledger.db"),
                ({"HYBRIDFLOW_STATE": "", "XDG_STATE_HOME": "/nowhere/b"}, "/nowhere/b/hybridflow/ledger.db"),
                ({"HYBRIDFLOW_STATE": "", "XDG_STATE_HOME": "", "HOME": "/nowhere/c"},
                 "/nowhere/c/.local/state/hybridflow/ledger.db")):
            self.assertIn(place + ";", self.run_ledger("show", **environment)[2])
        code, _, err = self.run_ledger("show", HYBRIDFLOW_STATE="", XDG_STATE_HOME="", HOME="")
        self.assertEqual(code, 2)
        self.assertIn("neither HYBRIDFLOW_STATE nor HOME is set", err)

    def test_an_empty_file_is_no_ledger_and_is_left_so(self):
        open(self.path, "wb").close()
        for action in ("show", "reconcile"):
            code, out, err = self.run_ledger(action, "--store", self.path)
            self.assertEqual((code, out), (1, ""))
            self.assertIn(f"{self.path} is no ledger but an empty file", err)
            self.assertEqual(os.path.getsize(self.path), 0)

    def test_is_where_a_configuration_says(self):
        self.make("dead")
        config = os.path.join(self.folder, "config.toml")
        with open(config, "w") as file:
            file.write('[[endpoint]]\nname = "edge"\ntier = "edge"\nurl = "http://127.0.0.1:1"\nmodel = "m"\n'
                       f'[ledger]\npath = "{self.path}"\nscope = "process"\n[[ledger.scopes]]\nname = "process"\n')
        code, out, err = self.run_ledger("show", "--config", config, HYBRIDFLOW_STATE="/nowhere")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("lease 1 on key:a", out)

    def test_refuses_a_damaged_ledger(self):
        with open(self.path, "wb") as file:
            file.write(b"x" * 5000)
        for action in ("show", "reconcile"):
            code, out, err = self.run_ledger(action, "--store", self.path)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("is damaged or no ledger at all", err)


if __name__ == "__main__":
    unittest.main()
