"""The server under load, faults, kills and reloads for a while; then every promise is checked.

    tests/soak/serve_soak.py [--minutes 1] [--seed 1] [--rate 10]

The program is $HYBRIDFLOW, else build/release/hybridflow. Behind it are an upstream that keeps its own
bill, once as it is and once with faults, and the real engine with the smallest model where both are
there. docs/soak.md says what is checked. Prints counts; exits with 1 and says so if a promise was broken.
"""

import argparse
import collections
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e")]
os.environ.setdefault("HYBRIDFLOW", "build/release/hybridflow")

from clients import Clients, Tally, manners
from server import HAS_SANITIZER, Server
from upstream import Faults, Upstream, pause

MODEL = "smollm2-135m-instruct"
WORKERS = 16
CENT = 10**10  # In picodollars.
RICH = ["--usd", "1000", "--period", "total"]
KEYS = {"alice": RICH, "bob": RICH, "poor": ["--usd", "0.02", "--period", "total"],
        "busy": [*RICH, "--requests-per-minute", "60", "--in-flight", "2"],
        "near": [*RICH, "--model", "edge", "--model", "hybrid/edge"], "temp": RICH}
BROKEN = ["[[endpoint]\n", "[servers]\nports = 1\n", '[route]\nweights = "/nowhere/weights"\n',
          '[[endpoint]]\nname = "edge"\ntier = "edge"\nurl = "http://127.0.0.1:1/v1"\nmodel = "twice"\n']


class Soak:
    def __init__(self, folder, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.upstream = Upstream()
        self.faults = Faults(self.upstream.url, random.Random(options.seed + 1), 0.15)
        self.secrets = {}
        self.every_secret = []
        self.tally = Tally()
        bare = Server(folder, "http://x/v1", "http://x/v1", None, "http://x/v1")
        code, version, _ = bare.run("version", "--json")
        has_engine = code == 0 and json.loads(version)["engine"] and bare.run("models", "path", MODEL)[0] == 0
        if not has_engine:
            print(f"There is no engine or no model {MODEL}: an upstream stands in for it, and nothing is killed.")
        self.server = Server(folder, self.faults.url, self.upstream.url, MODEL if has_engine else None,
                             self.upstream.url)
        self.has_engine = has_engine
        for name, limits in KEYS.items():
            self.add_key(name, limits)
        port = self.server.start()
        self.clients = Clients(port, self.secrets, self.upstream.bill, self.tally,
                               {"edge", "hybrid/edge", "hybrid/auto"} if has_engine else set())
        self.is_over = threading.Event()
        self.pace = threading.Lock()
        self.next_at = time.monotonic()
        self.memory = []  # (seconds since the start, bytes)
        self.began = time.monotonic()
        self.poor_cents = 2
        self.extras = 0
        self.temps = 0

    def add_key(self, name, limits):
        self.secrets[name] = self.server.keys("add", "--name", name, *limits)
        self.every_secret.append(self.secrets[name])

    # ---- clients ----

    def work(self, number):
        dice = random.Random(f"{self.options.seed}/{number}")
        choices = manners(self.clients)
        weights = [weight for weight, _ in choices]
        while self.take_turn():
            visit = dice.choices(choices, weights)[0][1]
            key = dice.choices(["alice", "bob", "poor", "busy"], [4, 4, 2, 1])[0]
            try:
                visit(dice, key)
                if dice.random() < 0.05:
                    self.clients.whole("near", "hybrid/edge")
                    self.clients.whole("near", "steady", allowed={403})
            except Exception as error:  # pylint: disable=broad-except
                self.tally.wrong(f"the soak itself: {error!r}")

    def take_turn(self):
        with self.pace:
            self.next_at = max(self.next_at + 1 / self.options.rate, time.monotonic() - 1)
            wait = self.next_at - time.monotonic()
        return not self.is_over.wait(max(wait, 0))

    # ---- what happens to the server meanwhile ----

    def disturb(self):
        acts = [self.kill_engine, self.reload_good, self.reload_broken, self.raise_poor, self.rotate_temp,
                self.change_temp, self.storm, self.compare_budgets]
        dice = random.Random(f"{self.options.seed}/acts")
        while True:
            dice.shuffle(acts)
            for act in acts:
                if self.is_over.wait(dice.uniform(1.5, 4.5)):
                    return
                try:
                    act()
                    self.tally.count(f"act {act.__name__}")
                except Exception as error:  # pylint: disable=broad-except
                    self.tally.wrong(f"{act.__name__}: {error!r}")

    def kill_engine(self):
        for pid, _ in sorted(self.server.living_children())[-1:]:
            os.kill(pid, signal.SIGKILL)
            self.tally.count("engines killed")

    def models(self):
        answer = self.clients.ask("GET", "/v1/models", None, "alice", {200})
        return [m["id"] for m in json.loads(answer.text)["data"]]

    def reload_good(self):
        self.extras += 1
        name = f"extra-{self.extras}"
        if self.server.reload(self.server.with_extra(name)) is not True:
            self.tally.wrong(f"a good configuration was not taken: {self.server.said[-3:]}")
        elif name not in self.models():
            self.tally.wrong(f"{name} is not there after the reload")
        self.clients.whole("alice", name)
        self.server.living_children()

    def reload_broken(self):
        before = self.models()
        text = self.server.base + BROKEN[self.tally.counts["act reload_broken"] % len(BROKEN)]
        if self.server.reload(text) is not False:
            self.tally.wrong(f"a broken configuration was taken: {text[-100:]}")
        if self.models() != before:
            self.tally.wrong("a broken configuration changed the models")

    def raise_poor(self):
        self.poor_cents += 2
        self.server.keys("set", "poor", "--usd", f"{self.poor_cents / 100}")

    def until(self, what, holds):
        """Keys that were changed elsewhere count within a second or so."""
        end = time.monotonic() + 30
        while not holds():
            if time.monotonic() > end:
                return self.tally.wrong(f"never came: {what}")
            pause(0.1)
        return None

    def is_let_in(self, secret):
        answer = self.clients.ask("GET", "/v1/budgets", None, secret, {200, 401})
        return answer is not None and answer.status == 200

    def rotate_temp(self):
        old = self.secrets["temp"]
        self.secrets["temp"] = self.server.keys("rotate", "temp")
        self.every_secret.append(self.secrets["temp"])
        self.until("a rotated key's new secret", lambda: self.is_let_in(self.secrets["temp"]))
        self.until("the end of a rotated key's old secret", lambda: not self.is_let_in(old))
        self.clients.whole("temp", "steady")

    def change_temp(self):
        self.temps += 1
        name = f"temp-{self.temps}"
        self.add_key(name, RICH)
        self.until("a new key", lambda: self.is_let_in(self.secrets[name]))
        self.clients.stream(name, "steady")
        running = threading.Thread(target=self.clients.stream, args=(name, "steady", "[pieces=40] [pace=30]"),
                                   kwargs={"max_tokens": 40})
        running.start()
        self.server.keys("revoke", name)
        self.until("the end of a revoked key", lambda: not self.is_let_in(self.secrets[name]))
        running.join()  # What ran when it was revoked may end.

    def storm(self):
        self.faults.share = 0.8
        self.is_over.wait(3)
        self.faults.share = 0.15

    def compare_budgets(self, is_end=False):
        """Against the limits, always; against the bill when nothing is under way."""
        rows = self.server.key_rows()
        for name, row in rows.items():
            usd = row["pico_usd"]
            if usd["spent"] + usd["leased"] > usd["limit"]:
                self.tally.wrong(f"key {name} is above its limit: {usd}")
            if is_end and usd["spent"] < self.upstream.bill.pico_usd[name]:
                self.tally.wrong(f"key {name} was billed {self.upstream.bill.pico_usd[name]}, but has {usd}")
            if is_end and usd["leased"] != 0:
                self.tally.wrong(f"key {name} still holds leases: {usd}")
        return rows

    def watch(self):
        while not self.is_over.wait(1):
            self.memory.append((time.monotonic() - self.began, self.server.memory()))

    # ---- the whole ----

    def warm_up(self):
        """One of each, so that what is opened once is open; returns what is open then."""
        for model in ("steady", "cloud", "edge", "hybrid/auto"):
            self.clients.whole("alice", model)
        self.settle()
        return self.server.descriptors()

    def settle(self):
        self.until("the end of all runs", lambda: self.clients.metric("alice", "hybridflow_runs_in_flight") == 0)

    def run(self):
        at_start = self.warm_up()
        acting = [threading.Thread(target=self.work, args=(i,)) for i in range(WORKERS)]
        acting += [threading.Thread(target=self.disturb), threading.Thread(target=self.watch)]
        for thread in acting:
            thread.start()
        for minute in range(int(self.options.minutes * 2)):
            pause(30)
            self.report((minute + 1) / 2)
        self.is_over.set()
        for thread in acting:
            thread.join()
        self.faults.share = 0
        self.check_recovery()
        self.settle()
        self.check_descriptors(at_start)
        self.check_memory()
        self.check_runs()
        self.check_end()
        return self.sum_up()

    def report(self, minutes):
        with self.tally.lock:
            counts = dict(self.tally.counts)
        statuses = {k.removeprefix("status "): v for k, v in sorted(counts.items()) if k.startswith("status ")}
        print(f"{minutes:5.1f} min  {self.server.memory() / 2**20:6.1f} MiB  {len(self.server.descriptors()):3d} open  "
              f"{len(self.tally.runs)} runs  {statuses}  {len(self.tally.problems)} problems", flush=True)

    def check_recovery(self):
        """After all that, everything answers again."""
        for model in ("edge", "cloud", "steady", "hybrid/auto"):
            for _ in range(40):  # A breaker opens for a while.
                answer = self.clients.ask("POST", "/v1/chat/completions", self.clients.body("alice", model)[1], "alice",
                                          {200, 429, 502, 503, 504})
                if answer is None or answer.status == 200:
                    break
                pause(0.5)
            else:
                self.tally.wrong(f"{model} does not answer any more: {answer.text}")

    def check_descriptors(self, at_start):
        """Back to the start's, but for a few: SQLite closes some of its own late."""
        kinds = lambda all: collections.Counter(d.split(":")[0] if ":" in d else d for d in all)
        self.until("the end of engines of configurations before",
                   lambda: len(self.server.living_children()) == (1 if self.has_engine else 0))
        self.until(f"as few descriptors as at the start ({len(at_start)})",
                   lambda: len(self.server.descriptors()) <= len(at_start) + 8)
        now = self.server.descriptors()
        print(f"descriptors: {len(at_start)} at the start, {len(now)} at the end; "
              f"more than then: {dict(kinds(now) - kinds(at_start))}")

    def check_memory(self):
        """From minute 2, or the middle of a short run, to the end: within a fifth or 10 MiB."""
        middle = min(120, self.options.minutes * 30)
        base = next(size for at, size in self.memory if at >= middle)
        end = self.server.memory()
        print(f"memory: {base / 2**20:.1f} MiB after {middle:.0f} s, {end / 2**20:.1f} MiB at the end, "
              f"{max(size for _, size in self.memory) / 2**20:.1f} MiB at most")
        if end > max(base * 1.2, base + 10 * 2**20) and not HAS_SANITIZER:
            self.tally.wrong(f"memory grew from {base} to {end} bytes")

    def check_runs(self):
        """Each run that anybody was told of is known, over, and was counted once."""
        kept = collections.Counter()
        for run, key in self.tally.runs.items():
            if key not in KEYS:
                kept["of keys that are revoked"] += 1  # Nobody may see those.
                continue
            answer = self.clients.ask("GET", f"/v1/runs/{run}", None, key, {200})
            if answer and answer.status == 200:
                outcome = json.loads(answer.text)["outcome"]
                kept[outcome] += 1
                if outcome == "running":
                    self.tally.wrong(f"run {run} still runs")
        print(f"runs: {len(self.tally.runs)} known: {dict(kept)}")
        total = self.clients.metric("alice", "hybridflow_runs_total")
        known = len(self.tally.runs)
        if not known <= total <= known + self.tally.maybe_begun:
            self.tally.wrong(f"the server counts {total} runs, its clients {known} and at most "
                             f"{self.tally.maybe_begun} more")
        if self.clients.metric("alice", "hybridflow_history_dropped_total") != 0:
            self.tally.wrong("runs are not in the history")

    def check_end(self):
        """SIGTERM while streams run: those that can end do, the other is told, and nothing is left."""
        streams = [threading.Thread(target=self.clients.stream, args=("alice", "steady", f"[pieces={n}] [pace=50]"),
                                    kwargs={"max_tokens": 1000}) for n in (40, 50, 900)]
        done, cancelled = (self.tally.counts[f"streams to {end}"] for end in ("[DONE]", "run_cancelled"))
        for thread in streams:
            thread.start()
        self.until("the streams of the end",
                   lambda: self.clients.metric("alice", "hybridflow_runs_in_flight") == len(streams))
        code, took, out = self.server.stop()
        for thread in streams:
            thread.join()
        print(f"end: exit code {code} after {took:.1f} s")
        if code != 0 or took > 5 + 5 + 2:
            self.tally.wrong(f"SIGTERM: exit code {code} after {took:.1f} s; {self.server.said[-3:]}")
        ended = tuple(self.tally.counts[f"streams to {end}"] for end in ("[DONE]", "run_cancelled"))
        if ended != (done + 2, cancelled + 1):
            self.tally.wrong(f"of the last three streams {ended[0] - done} ended, "
                             f"{ended[1] - cancelled} were cancelled")
        pause(1)
        if self.server.left_behind():
            self.tally.wrong(f"processes are left: {self.server.left_behind()}")
        self.check_files(out)

    def check_files(self, out):
        code, told, err = self.server.run("db", "check")
        print(told, end="")
        if code != 0:
            self.tally.wrong(f"db check: {err}")
        rows = self.compare_budgets(is_end=True)
        for name, row in rows.items():
            if name in KEYS:
                print(f"key {name}: billed ${self.upstream.bill.pico_usd[name] / 1e12:.4f}, spent "
                      f"${row['pico_usd']['spent'] / 1e12:.4f} of ${row['pico_usd']['limit'] / 1e12:.2f}")
        if self.upstream.bill.unmarked:
            self.tally.wrong(f"calls that nobody asked for: {self.upstream.bill.unmarked[:3]}")
        if self.faults.proxy.trouble:
            self.tally.wrong(f"the proxy of faults: {self.faults.proxy.trouble[:3]!r}")
        said = [out, *self.server.said]
        for name in os.listdir(self.server.state):
            with open(os.path.join(self.server.state, name), "rb") as file:
                said.append(file.read().decode("latin-1"))
        if any(secret[10:] in text for text in said for secret in self.every_secret):
            self.tally.wrong("a key's secret was written somewhere")

    def sum_up(self):
        for name, count in sorted(self.tally.counts.items()):
            print(f"  {name}: {count}")
        print(f"  faults: {dict(self.faults.drawn)}")
        print(f"  upstream requests: {sum(self.upstream.bill.requests.values())}")
        print(f"  children of the server: {len(self.server.children)}")
        for line, times in collections.Counter(self.server.said).most_common(8):
            print(f"  said {times} times: {line.strip()[:200]}")
        print(f"{len(self.tally.problems)} problems")
        return 1 if self.tally.problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=10, help="visits a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(folder, options)
        try:
            return soak.run()
        finally:
            if soak.server.process.poll() is None:
                soak.server.process.kill()


if __name__ == "__main__":
    sys.exit(main())
