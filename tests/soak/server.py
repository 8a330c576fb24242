"""The server under test: its process and children, its configuration, its keys, what it says and uses."""

import ctypes
import json
import os
import re
import signal
import subprocess
import threading
import time

from upstream import pause

PROGRAM = os.environ.get("HYBRIDFLOW") or "build/release/hybridflow"
PATIENCE = 60
with open(PROGRAM, "rb") as binary:
    HAS_SANITIZER = b"__asan_init" in binary.read()  # Then memory is not the program's own alone.
TIMES = 'timeouts = { connect = "2s", first_token = "3s", gap = "2s", total = "20s" }'
PRICE = "price = { prompt = 2.00, cached = 0.50, completion = 8.00 }"

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def prepare():
    """In the server's process before it begins: it must hear of SIGHUP, and not outlive a soak that is killed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    def __init__(self, folder, cloud, steady, engine, edge_url):
        self.config = os.path.join(folder, "config.toml")
        self.state = os.path.join(folder, "state")
        left_out = ("OPENAI_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        self.environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(left_out)}
        self.environment["HYBRIDFLOW_STATE"] = self.state
        edge = (f'engine = {{ model = "{engine}", slots = 2, context = 4096, threads = 1 }}' if engine else
                f'url = "{edge_url}"\nmodel = "edge"\nmax_in_flight = 8')
        self.base = f"""
[planner]
endpoint = "cloud"
[budget]
deadline = "15s"
[limits]
answer_tokens = 24
subtask_tokens = 16
[serve]
buffered_bytes = 262144
answer_tokens = 256
[[endpoint]]
name = "edge"
tier = "edge"
{edge}
{TIMES.replace("3s", "10s")}
[[endpoint]]
name = "cloud"
tier = "cloud"
url = "{cloud}"
model = "cloud"
{PRICE}
{TIMES}
[[endpoint]]
name = "steady"
tier = "cloud"
url = "{steady}"
model = "steady"
max_in_flight = 32
{PRICE}
{TIMES}
"""
        self.steady = steady
        self.write(self.base)
        self.children = {}  # Every child there was: (pid, start time) to its command.
        self.said = []
        self.process = None
        self.reader = None

    def write(self, text):
        with open(self.config + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(self.config + ".new", self.config)

    def with_extra(self, name):
        return self.base + (f'[[endpoint]]\nname = "{name}"\ntier = "cloud"\nurl = "{self.steady}"\nmodel = "{name}"\n'
                            f'{PRICE}\n')

    # ---- the process ----

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "serve", "--listen", "127.0.0.1:0", "--config", self.config,
                                         "--drain", "5s"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=self.environment,
                                        preexec_fn=prepare)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), self.process.stderr.read()
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()
        return int(line.rsplit(":", 1)[1])

    def listen(self):
        self.said.extend(iter(self.process.stderr.readline, ""))

    def reload(self, text):
        """Whether the new configuration is in force, by the server's own word."""
        self.write(text)
        words = ("read again and is in force", "stays as it was")
        told = lambda: [line for line in list(self.said) if any(w in line for w in words)]
        before = len(told())
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + PATIENCE
        while len(told()) == before:
            if time.monotonic() > end:
                return None
            pause(0.02)
        return words[0] in told()[-1]

    def stop(self):
        """The exit code and how long it took; what it says on standard output by then."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        took = time.monotonic() - began
        self.reader.join(PATIENCE)
        return code, took, self.process.stdout.read()

    # ---- what it uses ----

    def living_children(self):
        """(pid, start time) of each process whose parent is the server."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if (seen := self.seen(pid)) and seen[0] == self.process.pid:
                found[int(pid), seen[1]] = seen[2]
        self.children.update(found)
        return found

    @staticmethod
    def seen(pid):
        """Parent, start time and command of a process that lives."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                command = file.read().replace("\0", " ").strip()
        except OSError:
            return None
        return None if fields[0] == "Z" else (int(fields[1]), int(fields[19]), command)

    def left_behind(self):
        return [(pid, command) for (pid, start), command in self.children.items()
                if (seen := self.seen(pid)) and seen[1] == start]

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) * 1024

    def descriptors(self):
        """What each open descriptor is."""
        folder = f"/proc/{self.process.pid}/fd"
        found = []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(os.path.join(folder, name)))
            except OSError:
                pass  # Closed meanwhile.
        return sorted(found)

    # ---- the command line beside it ----

    def run(self, *arguments):
        done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self.environment, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout, done.stderr

    def keys(self, *arguments):
        code, out, err = self.run("keys", *arguments)
        assert code == 0, (arguments, err)
        return out.strip()

    def key_rows(self):
        return {row["name"]: row for row in json.loads(self.keys("list", "--json"))["keys"]}
