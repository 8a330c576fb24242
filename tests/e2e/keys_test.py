"""Goal: a person makes, sees, changes and ends keys; a secret is seen once and is in no file; the files
behind it are checked and copied while they are used.
Method: the real program on its own state folder, several processes at once, and spoiled files.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import sqlite3
import stat
import subprocess
import time
import unittest

from case import WithStub, clean_environment
from stub import PROGRAM, endpoint

CENT = 10**10  # In picodollars.
DAY = 86400


class WithState(WithStub):
    def setUp(self):
        super().setUp()
        self.state = os.path.join(self.folder.name, "state")
        self.ledger = os.path.join(self.state, "ledger.db")
        self.history = os.path.join(self.state, "history.db")
        self.env = clean_environment(HYBRIDFLOW_STATE=self.state)

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.env)

    def run_it(self, *arguments):
        with self.start(*arguments) as child:
            out, err = child.communicate(timeout=60)
            return child.returncode, out, err

    def keys(self, *arguments):
        return self.run_it("keys", *arguments)

    def add(self, name, *arguments):
        code, out, err = self.keys("add", "--name", name, *arguments)
        self.assertEqual(code, 0, err)
        return out.removesuffix("\n")

    def listed(self, *arguments):
        code, out, err = self.keys("list", "--json", *arguments)
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)["keys"]

    def expect_refused(self, code, words, *arguments):
        done, out, err = self.run_it(*arguments)
        self.assertEqual((done, out), (code, ""), err)
        self.assertTrue(err.startswith("hybridflow: "), err)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn(words, err)

    def bytes_of_state(self):
        return b"".join(pathlib.Path(self.state, name).read_bytes() for name in os.listdir(self.state))

    def spoil(self, sql):
        with sqlite3.connect(self.ledger) as connection:
            connection.execute(sql)
        connection.close()

    def ask(self, *arguments):
        code, _, err = self.run_it("ask", "--plan", "never", *arguments, "What is 3 + 4?")
        self.assertEqual(code, 0, err)


class Keys(WithState):
    def test_a_key_lives_from_add_to_revoke(self):
        first = self.add("alice", "--usd", "5", "--in-flight", "4")
        self.assertRegex(first, r"^hf-[A-Za-z0-9_-]{43}$")
        key, = self.listed()
        self.assertEqual((key["name"], key["prefix"], key["state"]), ("alice", first[:10], "usable"))

        code, out, err = self.keys("set", "alice", "--usd", "7.5", "--in-flight", "none")
        self.assertEqual((code, out, err), (0, "key 'alice' is usable\n", ""))
        changed, = self.listed()
        self.assertEqual(changed["pico_usd"]["limit"], 750 * CENT)
        self.assertEqual(changed["in_flight"], None)

        code, out, err = self.keys("rotate", "alice")
        self.assertEqual(code, 0, err)
        second = out.removesuffix("\n")
        self.assertRegex(second, r"^hf-[A-Za-z0-9_-]{43}$")
        self.assertNotEqual(second, first)
        rotated, = self.listed()
        self.assertEqual(rotated, {**changed, "prefix": second[:10]})

        code, out, err = self.keys("revoke", "alice")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^key 'alice' is revoked\n  revoked \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$")
        self.assertEqual(self.listed()[0]["state"], "revoked")
        for action in ("revoke", "rotate"):
            self.expect_refused(2, "there is no key 'alice'", "keys", action, "alice")
        self.add("alice")
        self.assertEqual([k["state"] for k in self.listed()], ["revoked", "usable"])

    def test_standard_output_has_the_secret_alone_and_the_hint_is_beside_it(self):
        for arguments in (["add", "--name", "alice"], ["rotate", "alice"]):
            code, out, err = self.keys(*arguments)
            self.assertEqual(code, 0)
            self.assertEqual(len(out), 47)
            self.assertIn("shown this once", err)
            self.assertNotIn(out.strip(), err)

    def test_a_secret_is_in_no_file_and_in_no_list(self):
        secrets = [self.add("alice")]
        code, out, _ = self.keys("rotate", "alice", "--json")
        self.assertEqual(code, 0)
        secrets.append(json.loads(out)["key"]["secret"])
        # A reader keeps the write-ahead log from being cleaned up.
        with sqlite3.connect(self.ledger) as reader:
            reader.execute("SELECT count(*) FROM key").fetchone()
            secrets.append(self.add("bob"))
            kept = self.bytes_of_state()
            shown = self.keys("list")[1] + self.keys("list", "--json")[1]
        reader.close()
        self.assertIn(secrets[-1][:10].encode(), kept)
        for secret in secrets:
            raw = base64.urlsafe_b64decode(secret[3:] + "=")
            self.assertEqual(len(raw), 32)
            for form in (secret[10:].encode(), raw, raw.hex().encode()):
                self.assertNotIn(form, kept)
            self.assertNotIn(secret[10:], shown)

    def test_every_option_arrives_and_none_takes_it_away(self):
        day = 1 + int(time.time()) // DAY
        self.add("full", "--usd", "0.05", "--tokens", "9000", "--period", "day", "--requests-per-minute", "60",
                 "--in-flight", "2", "--model", "hybrid/edge", "--model", "small", "--expires",
                 time.strftime("%Y-%m-%d", time.gmtime(day * DAY)))
        key, = self.listed()
        self.assertEqual(key["pico_usd"], {"limit": 5 * CENT, "spent": 0, "leased": 0})
        self.assertEqual(key["cloud_tokens"], {"limit": 9000, "spent": 0, "leased": 0})
        self.assertEqual((key["period"], key["requests_per_minute"], key["in_flight"]), ("day", 60, 2))
        self.assertEqual(key["models"], ["hybrid/edge", "small"])
        self.assertEqual(key["expires_at"], day * DAY)
        self.assertRegex(key["scope"], r"^key:full#1:\d{4}-\d\d-\d\d$")
        code, out, _ = self.keys("list")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"\nfull +hf-\S{7} +usable +day +0 +0\.05 +0 +9000\n"
                              r"  60 requests a minute, 2 at once, only hybrid/edge small, until \S+ 00:00 UTC\n$")

        code, out, _ = self.keys("set", "full", "--usd", "none", "--tokens", "none", "--period", "total",
                                 "--requests-per-minute", "none", "--in-flight", "none", "--model", "none",
                                 "--expires", "none", "--json")
        self.assertEqual(code, 0)
        key = json.loads(out)["key"]
        self.assertNotIn("secret", key)
        self.assertEqual((key["pico_usd"]["limit"], key["cloud_tokens"]["limit"]), (None, None))
        self.assertEqual((key["requests_per_minute"], key["in_flight"], key["expires_at"]), (None, None, None))
        self.assertEqual((key["models"], key["scope"], key["period_ends_at"]), ([], "key:full#1:total", None))
        self.assertRegex(self.keys("list")[1], r"\nfull +hf-\S{7} +usable +total +0 +none +0 +none\n$")

    def test_an_end_may_be_so_long_from_now(self):
        before = int(time.time())
        self.add("alice", "--expires", "30d")
        end = self.listed()[0]["expires_at"] - 30 * DAY
        self.assertTrue(before <= end <= time.time())

    def test_what_was_spent_stands_beside_the_budget_and_a_new_one_holds_at_once(self):
        self.add("alice", "--usd", "5", "--period", "total")
        scope = self.listed()[0]["scope"]
        config = self.config(endpoint("cloud", "cloud", self.stub.url, "cloud-ok"), more=(
            f'[ledger]\npath = "{self.ledger}"\nscope = "{scope}"\n'
            f'[[ledger.scopes]]\nname = "{scope}"\nusd = 5.00\n'))
        self.ask("--config", config)
        spent = self.listed()[0]["pico_usd"]["spent"]
        self.assertEqual(spent, 100 * 2_000_000 + 9 * 8_000_000)
        self.keys("set", "alice", "--usd", "0.0001")
        shown = json.loads(self.run_it("ledger", "show", "--json")[1])["scopes"][0]["pico_usd"]
        self.assertEqual(shown, {"limit": CENT // 100, "spent": spent, "leased": 0, "left": 0})
        self.keys("rotate", "alice")
        self.assertEqual(self.listed()[0]["pico_usd"]["spent"], spent)

    def test_the_ledger_is_where_the_configuration_or_the_option_says(self):
        ledger = os.path.join(self.folder.name, "other.db")
        config = self.config(endpoint("cloud", "cloud", self.stub.url, "m", 'api_key_env = "NOT_SET"'),
                             more=f'[ledger]\npath = "{ledger}"\n[[ledger.scopes]]\nname = "team"\n')
        self.add("alice", "--config", config)
        self.assertEqual([k["name"] for k in self.listed("--store", ledger)], ["alice"])
        self.assertFalse(os.path.exists(self.ledger))
        silent = self.config(endpoint("cloud", "cloud", self.stub.url, "m"))
        self.add("bob", "--config", silent)
        self.assertEqual([k["name"] for k in self.listed()], ["bob"])
        self.assertEqual(stat.S_IMODE(os.stat(self.ledger).st_mode), 0o600)
        self.expect_refused(2, "no/such.toml", "keys", "list", "--config", "no/such.toml")

    def test_looking_makes_no_ledger(self):
        for arguments in (["list"], ["revoke", "a"], ["rotate", "a"], ["set", "a", "--usd", "1"]):
            self.expect_refused(1, f"there is no ledger at {self.ledger}", "keys", *arguments)
        self.expect_refused(2, "needs a name", "keys", "add", "--name", "a b")
        self.assertFalse(os.path.exists(self.ledger))

    def test_what_makes_no_sense_is_refused_in_a_sentence(self):
        self.add("alice")
        for words, arguments in (
                ("there is a key 'alice'", ["add", "--name", "alice"]),
                ("needs a name", ["add", "--name", "key:alice"]),
                ("--name is required", ["add"]),
                ("not an amount of dollars", ["add", "--name", "b", "--usd", "-1"]),
                ("not an amount of dollars", ["add", "--name", "b", "--usd", "5 dollars"]),
                ("not a number of tokens", ["add", "--name", "b", "--tokens", "1e6"]),
                ("not a number of tokens", ["add", "--name", "b", "--tokens", "-1"]),
                ("not a number of requests", ["add", "--name", "b", "--in-flight", "4294967296"]),
                ("0 requests", ["add", "--name", "b", "--requests-per-minute", "0"]),
                ("--period", ["add", "--name", "b", "--period", "week"]),
                ("no end of a key", ["add", "--name", "b", "--expires", "2027-02-30"]),
                ("no end of a key", ["add", "--name", "b", "--expires", "2027-13-01"]),
                ("no end of a key", ["add", "--name", "b", "--expires", "soon"]),
                ("expired already", ["add", "--name", "b", "--expires", "2020-01-01"]),
                ("expired already", ["set", "alice", "--expires", "0s"]),
                ("name no other", ["set", "alice", "--model", "none", "--model", "small"]),
                ("nothing to set", ["set", "alice"]),
                ("there is no key 'bob'", ["set", "bob", "--usd", "1"]),
                ("needs a value", ["set", "alice", "--usd", ""])):
            with self.subTest(arguments=arguments):
                self.expect_refused(2, words, "keys", *arguments)
        self.assertEqual([k["name"] for k in self.listed()], ["alice"])

    def test_of_many_processes_one_gets_a_name(self):
        children = [self.start("keys", "add", "--name", "alice") for _ in range(4)]
        children += [self.start("keys", "add", "--name", f"k{i}") for i in range(4)]
        codes = []
        for child in children:
            child.communicate(timeout=60)
            codes.append(child.returncode)
        self.assertEqual(sorted(codes[:4]), [0, 2, 2, 2])
        self.assertEqual(codes[4:], [0, 0, 0, 0])
        self.assertEqual(sorted(k["name"] for k in self.listed()), ["alice", "k0", "k1", "k2", "k3"])

    def test_a_spoiled_ledger_is_refused(self):
        self.add("alice")
        self.spoil("UPDATE key SET usd_limit = 5")
        for arguments in (["list"], ["add", "--name", "b"], ["revoke", "alice"], ["rotate", "alice"],
                          ["set", "alice", "--usd", "1"]):
            self.expect_refused(1, "key 1 was altered", "keys", *arguments)
        with open(self.ledger, "wb") as file:
            file.write(b"x" * 5000)
        self.expect_refused(1, "is damaged or no ledger at all", "keys", "add", "--name", "b")
        os.remove(self.ledger)
        self.spoil("CREATE TABLE photos (id INTEGER)")
        self.expect_refused(1, "is a database of another program", "keys", "list")
        self.spoil("PRAGMA application_id = 1212566599")
        self.spoil("PRAGMA user_version = 99")
        self.expect_refused(1, "use the newer program", "keys", "list")


class Files(WithState):
    def setUp(self):
        super().setUp()
        self.copies = os.path.join(self.folder.name, "copies")

    def make_both(self):
        self.add("alice")
        self.ask("--config", self.config(endpoint("edge", "edge", self.stub.url, "edge-ok")))

    def test_says_what_was_checked(self):
        self.make_both()
        self.assertEqual(self.run_it("db", "check"), (
            0, f"ledger   sound: {self.ledger} with 0 scopes, 0 leases, 1 keys\n"
               f"history  sound: {self.history} with 1 runs\n", ""))

    def test_one_file_may_be_missing_but_not_both(self):
        self.expect_refused(1, f"neither a ledger at {self.ledger}", "db", "check")
        self.expect_refused(1, f"nor a history at {self.history}", "db", "backup", self.copies)
        self.assertFalse(os.path.exists(self.state))
        self.add("alice")
        code, out, err = self.run_it("db", "check")
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"history  none at {self.history}\n", out)
        code, out, err = self.run_it("db", "backup", self.copies)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"history  none at {self.history}\n", out)
        self.assertEqual(os.listdir(self.copies), ["ledger.db"])

    def test_damage_of_either_is_told_and_the_other_checked_all_the_same(self):
        self.make_both()
        self.spoil("UPDATE key SET name = 'eve'")
        code, out, err = self.run_it("db", "check")
        self.assertEqual(code, 1)
        self.assertIn("key 1 was altered", err)
        self.assertIn("history  sound", out)
        self.expect_refused(1, "key 1 was altered", "db", "backup", self.copies)
        self.assertEqual(os.listdir(self.copies), [])

        self.spoil("UPDATE key SET name = 'alice'")
        with open(self.history, "r+b") as file:
            file.seek(4096)
            file.write(b"x" * 4096)
        code, out, err = self.run_it("db", "check")
        self.assertEqual(code, 1)
        self.assertIn("the history", err)
        self.assertIn("ledger   sound", out)

        for path in (self.ledger, self.history):
            open(path, "wb").close()
        code, out, err = self.run_it("db", "check")
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f"{self.ledger} is no ledger but an empty file", err)
        self.assertIn(f"{self.history} is no history but an empty file", err)

    def test_copies_are_whole_and_for_their_owner_only(self):
        self.make_both()
        code, out, err = self.run_it("db", "backup", self.copies)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"ledger   copied: {self.copies}/ledger.db with 0 scopes, 0 leases, 1 keys\n", out)
        self.assertIn(f"history  copied: {self.copies}/history.db with 1 runs\n", out)
        self.assertEqual(sorted(os.listdir(self.copies)), ["history.db", "ledger.db"])
        self.assertEqual(stat.S_IMODE(os.stat(self.copies).st_mode), 0o700)
        for name in os.listdir(self.copies):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.copies, name)).st_mode), 0o600)
        before = self.listed()
        shutil.rmtree(self.state)
        shutil.copytree(self.copies, self.state)
        self.assertEqual(self.listed(), before)
        self.assertEqual(self.run_it("explain", "last")[0], 0)

    def test_nothing_is_replaced(self):
        self.make_both()
        os.mkdir(self.copies)
        for name in ("history.db", "ledger.db"):
            path = os.path.join(self.copies, name)
            with open(path, "w") as file:
                file.write("mine")
            self.expect_refused(1, f"{path} is there already", "db", "backup", self.copies)
            self.assertEqual(os.listdir(self.copies), [name])
            with open(path) as file:
                self.assertEqual(file.read(), "mine")
            os.remove(path)

    def test_a_file_that_is_named_is_looked_at_alone(self):
        self.make_both()
        code, out, err = self.run_it("db", "check", "--store", self.ledger)
        self.assertEqual((code, out.count("\n")), (0, 1), err)
        self.expect_refused(1, "there is no ledger", "db", "check", "--store", self.ledger + ".none")
        self.expect_refused(1, "there is no ledger", "db", "backup", self.copies, "--store", self.ledger + ".none")
        self.assertFalse(os.path.exists(self.copies))

    def test_a_place_that_cannot_be_made_is_told(self):
        self.make_both()
        self.expect_refused(1, "cannot be made", "db", "backup", os.path.join(self.folder.name, "no", "such"))
        self.expect_refused(1, "cannot be made", "db", "backup", self.ledger)
        self.expect_refused(2, "directory is required", "db", "backup")

    def test_a_copy_is_of_one_moment_while_others_write(self):
        self.add("k0")
        children = []
        counts = []
        for i in range(6):
            children.append(self.start("keys", "add", "--name", f"k{i + 1}"))
            copies = f"{self.copies}{i}"
            code, out, err = self.run_it("db", "backup", copies)
            self.assertEqual(code, 0, err)
            told = int(re.search(r"(\d+) keys\n", out)[1])
            counts.append(len(self.listed("--store", os.path.join(copies, "ledger.db"))))
            self.assertEqual(counts[-1], told)
        for child in children:
            child.communicate(timeout=60)
            self.assertEqual(child.returncode, 0)
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(len(self.listed()), 7)


if __name__ == "__main__":
    unittest.main()
