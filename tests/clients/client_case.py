"""What the tests with real clients share: a server with a scripted endpoint behind it, or with a real model."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

from case import QUESTION, WithStub, clean_environment  # pylint: disable=wrong-import-position
from serve_test import PATIENCE, Serving  # pylint: disable=wrong-import-position
from stub import run  # pylint: disable=wrong-import-position
from upstream import Upstream  # pylint: disable=wrong-import-position

HERE = pathlib.Path(__file__).parent
CLIENTS = pathlib.Path(os.environ["HYBRIDFLOW_CLIENTS_FOLDER"])
# Split where that is worth it, whole to a tier, and as it came to an endpoint: a free one, and one that costs.
MODELS = ("hybrid/auto", "hybrid/edge", "edge", "cloud")
PASSED_ON = ("edge", "cloud")


class ClientCase(WithStub):
    """A test begins as many servers as it needs; the latest is `self.server`, at `self.url`."""

    has_keys = False  # Whether the server asks for a key; `self.key` is one, or a word that means nothing.

    def setUp(self):
        self.stub = Upstream()
        self.folder = tempfile.TemporaryDirectory()
        self.server = None
        self.servers = []
        os.environ["HYBRIDFLOW_STATE"] = os.path.join(self.folder.name, "state")
        self.key = self.add_key("tester", "--usd", "1") if self.has_keys else "not-needed"

    def tearDown(self):
        for server in self.servers:
            server.close()
        super().tearDown()

    def serve(self, *arguments, config=None, **endpoints):
        self.server = Serving("--config", config or self.two(**endpoints), *arguments)
        self.servers.append(self.server)
        self.url = f"http://127.0.0.1:{self.server.port}/v1"
        return self.server

    def add_key(self, name, *limits):
        code, out, err = run("keys", "add", "--name", name, *limits)
        self.assertEqual(code, 0, err)
        return out.strip()

    def ask(self, method, path, body=None):
        """Returns (status, headers, JSON)."""
        return self.server.ask(method, path, body, {"Authorization": f"Bearer {self.key}"})

    def wait_for_end(self, run_id):
        """The receipt of a run, as soon as there is one."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, _, state = self.ask("GET", f"/v1/runs/{run_id}")
            self.assertEqual(status, 200, state)
            if state["outcome"] != "running":
                return state
        self.fail(f"the run {run_id} has no end")

    def check_cancelled(self, run_id):
        self.assertEqual(self.wait_for_end(run_id)["outcome"], "cancelled")
        self.assertTrue(self.stub.left.acquire(timeout=PATIENCE), "the upstream connection is still open")

    def command(self, *arguments, env=None, stdin=None, timeout=PATIENCE, folder=None):
        """Runs a client; returns (exit code, stdout, stderr)."""
        done = subprocess.run([*map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=timeout,
                              env=clean_environment(**(env or {})), cwd=folder, check=False)
        return done.returncode, done.stdout, done.stderr
