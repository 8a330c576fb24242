"""Goal: SIGKILL at any moment leaves nothing behind that costs money or stops the next run: no process, no
socket in the way, no request that the ledger does not count.
Method: real runs, killed at seeded moments of the wire and of time, against an endpoint whose bill is
kept apart. HF_KILLS says how many (40)."""

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import unittest

import stub
from case import QUESTION, WithStub, check_sums, clean_environment
from engine_test import MODEL
from fault_proxy import PATIENCE, FaultProxy
from network_test import has_engine
from stub import PROGRAM, endpoint, run

KILLS = int(os.environ.get("HF_KILLS", "40"))
DONE = b"data: [DONE]"
# Prices of stub.endpoint(), in picodollars a token.
PROMPT, COMPLETION = 2_000_000, 8_000_000


class Moment:
    """A fault that spoils nothing and calls `then` at the `number`-th thing that happens on the wire."""

    def __init__(self, number, then):
        self.left = number
        self.then = then

    def passed(self, proxy):
        with proxy.lock:
            self.left -= 1
            is_now = self.left == 0
        if is_now:
            self.then()

    def __call__(self, exchange):
        self.passed(exchange.proxy)
        sent = b""
        for data in exchange.raw():
            # In two parts: a kill may fall into the middle of an event.
            for part in (data[:len(data) // 2], data[len(data) // 2:]):
                self.passed(exchange.proxy)
                exchange.send(part)
                had_end, sent = DONE in sent, sent + part
                if DONE in sent and not had_end:
                    exchange.proxy.note("told", exchange.request)
        self.passed(exchange.proxy)


def bill_of(proxy):
    """What the endpoint charges: what it has told, and the most it may where it could not tell."""
    told = proxy.requests("told")
    size = lambda request: sum(len(m["content"].encode()) for m in request["messages"])
    charge = lambda request: (400 * PROMPT + 100 * COMPLETION if stub.Handler.is_plan(request) else
                              100 * PROMPT + 9 * COMPLETION)
    return sum(charge(r) if r in told else size(r) * PROMPT + r["max_tokens"] * COMPLETION for r in proxy.requests())


def processes_of(mark):
    """Ids of living processes that have `mark` in their environment."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if mark.encode() in file.read():
                    found.append(int(name))
        except OSError:
            pass  # It has ended, or is none of ours.
    return found


class Killed(WithStub):
    def setUp(self):
        super().setUp()
        # Whatever the program keeps is kept here, and every process that it starts is known by it.
        self.home = os.path.join(self.folder.name, "home")
        os.mkdir(self.home, 0o700)
        self.environment = clean_environment(XDG_RUNTIME_DIR=self.home, XDG_STATE_HOME=self.home, XDG_DATA_HOME=self.home)

    def start(self, config, *arguments):
        return subprocess.Popen([PROGRAM, "ask", "--config", config, "--json", *arguments, QUESTION],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.environment)

    @staticmethod
    def wait_or_kill(child, delay):
        try:
            child.wait(delay)
        except subprocess.TimeoutExpired:
            child.kill()

    def expect_nothing_left(self):
        """Processes that the killed one had started end by themselves."""
        for pid in processes_of(self.home):
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            with open(descriptor, "rb", buffering=0, closefd=True):
                self.assertTrue(select.select([descriptor], [], [], PATIENCE)[0], f"process {pid} still runs")

    def expect_a_good_run(self, config, *arguments):
        with self.start(config, *arguments) as child:
            out, err = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 0, err)
        receipt = json.loads(out)
        check_sums(self, receipt)
        # A small model may well go on up to its cap.
        self.assertFalse([reason for reason in receipt["degraded"] if not reason.startswith("length")])
        return receipt


class AtAnyMoment(Killed):
    """All runs share one ledger, and the endpoint keeps its own bill."""

    LIMIT = 100  # Dollars: far more than they may cost, so that each of them can be answered.

    def setUp(self):
        super().setUp()
        self.store = os.path.join(self.folder.name, "ledger.db")
        self.bill = 0

    def test_of_the_wire_or_of_time_the_ledger_bounds_the_bill_and_the_next_run_works(self):
        source = random.Random(1)
        finished = 0
        for number in range(KILLS):
            with self.subTest(number):
                finished += self.kill_once(source)
        # Most kills hit a run under way; that some come too late shows that the last moments are hit too.
        self.assertLess(finished, KILLS // 2)

    def behind(self, proxy):
        return self.config(endpoint("cloud", "cloud", proxy.url, "cloud-ok"),
                           more=f'[ledger]\npath = "{self.store}"\n[[ledger.scopes]]\nname = "team"\nusd = {self.LIMIT}\n')

    def kill_once(self, source):
        """Whether the run was faster than its end."""
        started = []
        is_wire = source.random() < 0.7
        moment = Moment(source.randint(1, 30) if is_wire else 0, lambda: started[0].kill())
        delay = source.uniform(0, 0.05)
        with contextlib.closing(FaultProxy(self.stub.url, moment)) as proxy:
            config = self.behind(proxy)
            # No moment can come before the list is filled: a connection takes the lock first.
            with proxy.lock:
                started.append(self.start(config, "--plan", "always"))
            with started[0] as child:
                if not is_wire:
                    self.wait_or_kill(child, delay)
                child.communicate(timeout=PATIENCE)
        self.assertIn(child.returncode, (0, -signal.SIGKILL))
        self.expect_nothing_left()
        # What had been sent before the kill has arrived by now: the proxy has come to its end.
        self.bill += bill_of(proxy)
        self.check_ledger()
        if source.random() < 0.5:
            self.assertEqual(run("ledger", "reconcile", "--store", self.store)[0], 0)
            self.check_ledger()
        with contextlib.closing(FaultProxy(self.stub.url, Moment(0, None))) as proxy:
            receipt = self.expect_a_good_run(self.behind(proxy), "--plan", "always")
            # No request is sent of which the receipt does not tell.
            self.assertEqual(len(proxy.requests()), len(receipt["calls"]))
        charged = bill_of(proxy)
        self.assertEqual(receipt["totals"]["pico_usd"], charged)
        self.bill += charged
        self.check_ledger()
        return child.returncode == 0

    def check_ledger(self):
        """What is spent, or lent to runs that are gone, is no less than the bill and within the limit."""
        code, out, err = run("ledger", "show", "--store", self.store, "--json")
        if self.bill == 0 and code != 0:
            return  # Killed before there was a ledger.
        self.assertEqual(code, 0, err)
        team = [scope["pico_usd"] for scope in json.loads(out)["scopes"] if scope["name"] == "team"]
        counted = sum(usd["spent"] + usd["leased"] for usd in team)
        self.assertGreaterEqual(counted, self.bill)
        self.assertLessEqual(counted, self.LIMIT * 10**12)


@unittest.skipUnless(has_engine(), f"the model {MODEL} or the engine is not there")
class WithItsEngine(Killed):
    def test_the_engine_ends_and_the_next_run_starts_its_own(self):
        source = random.Random(2)
        path = self.config(f'[[endpoint]]\nname = "edge"\ntier = "edge"\nengine = {{ model = "{MODEL}", slots = 2 }}\n',
                           more="[limits]\nanswer_tokens = 16\nsubtask_tokens = 16\n[planner]\nmax_tokens = 80\n")
        kills = max(4, KILLS // 10)
        for number in range(kills):
            with self.subTest(number):
                with self.start(path, "--plan", "always") as child:
                    self.wait_or_kill(child, source.uniform(0, 1.0))
                    child.communicate(timeout=PATIENCE)
                self.assertIn(child.returncode, (0, -signal.SIGKILL))
                self.expect_nothing_left()
        self.expect_a_good_run(path, "--plan", "never")
        # Its own socket goes with it; those of the killed ones are no more than a name.
        self.expect_nothing_left()


if __name__ == "__main__":
    unittest.main()
