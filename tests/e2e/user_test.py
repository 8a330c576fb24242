"""Goal: what a person types, points at or looks at by mistake ends in one sentence and the right exit
code, and a terminal shows what it should whatever its size and whatever a model writes.
Method: the real program, on pipes and on a pseudo-terminal, against scripted endpoints on loopback."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import unittest

from case import QUESTION, WithStub, clean_environment
from stub import PROGRAM, run

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
MOVES = re.compile(r"\x1b\[\d+A\x1b\[J")


def on_terminal(*arguments, columns=100, lines=30, env=None):
    """Runs the program on a terminal of that size; returns (exit code, all that was written to it)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    with subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                          env=clean_environment(TERM="xterm", **(env or {}))) as child:
        os.close(slave)
        guard = threading.Timer(60, child.kill)
        guard.start()
        written = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break  # Nobody has the other end any more.
            if not piece:
                break
            written += piece
        child.wait()
        guard.cancel()
    os.close(master)
    return child.returncode, written.decode("utf-8", "replace").replace("\r\n", "\n")


class Sentences(WithStub):
    def expect_sentence(self, *arguments, contains="", code=2, **more):
        actual, out, err = run(*arguments, **more)
        self.assertEqual(actual, code, (arguments, err))
        self.assertEqual(out, "")
        self.assertIn(contains, err)
        self.assertEqual(err.count("\n"), 1, err)
        return err


class EmptyValues(Sentences):
    def test_an_empty_limit_is_not_no_limit(self):
        for option in ("--budget-usd", "--budget-tokens", "--deadline", "--plan", "--planner", "--scope", "--policy",
                       "--record", "--seed"):
            with self.subTest(option):
                self.expect_sentence("ask", "--config", self.two(), option, "", QUESTION, contains=option)
                self.expect_sentence("ask", "--config", self.two(), option + "=", QUESTION, contains=option)
        self.expect_sentence("ask", "--config", "", QUESTION, contains="--config")
        self.expect_sentence("plan", "--parse", "", contains="--parse")
        self.expect_sentence("models", "verify", "", contains="empty")
        self.assertEqual(self.stub.requests, [])

    def test_a_seed_is_a_number_that_fits(self):
        for seed in ("-1", "18446744073709551616", "1.5", "0x10", " 1"):
            self.expect_sentence("ask", "--config", self.two(), "--seed", seed, QUESTION, contains="--seed")
        code, _, err = run("ask", "--config", self.two(), "--plan", "never", "--seed", "18446744073709551615", "x")
        self.assertEqual(code, 0, err)


class Inputs(Sentences):
    def test_a_folder_is_no_file(self):
        self.expect_sentence("ask", "--config", self.folder.name, "x", contains="is a folder")
        self.expect_sentence("ask", "--config", self.two(), "--plan", self.folder.name, "x", contains="directory")
        self.expect_sentence("plan", "--parse", self.folder.name, contains="directory")

    def test_standard_input_that_cannot_be_read_is_named(self):
        command = [PROGRAM, "ask", "--config", self.two(), "-"]
        folder = os.open(self.folder.name, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        of_folder = subprocess.run(command, stdin=folder, capture_output=True, check=False)
        closed = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, check=False)
        for done in (of_folder, closed):
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"Standard input cannot be read", done.stderr)

    def plan_file(self, content):
        path = os.path.join(self.folder.name, "plan.json")
        with open(path, "wb") as file:
            file.write(content)
        return path

    def test_plan_files(self):
        steps = b'{"steps": [{"id": "a", "task": "What?"}]}'
        code, receipt, err = self.ask(self.two(), "--plan", self.plan_file(b"\xef\xbb\xbf" + steps))
        self.assertEqual((code, receipt["plan"]["source"]), (0, "file"), err)
        self.expect_sentence("ask", "--config", self.two(), "--plan", self.plan_file(steps + b" " * 131_072), "x",
                             contains="longer than 131072 bytes")
        twice = b'{"steps": [{"id": "a", "task": "What?", "t\\u0061sk": "Or this?"}]}'
        self.expect_sentence("ask", "--config", self.two(), "--plan", self.plan_file(twice), "x", contains='"task"')

    def test_a_damaged_model_is_found_before_the_first_call(self):
        if not has_engine():
            self.skipTest("this build has no engine")
        path = os.path.join(self.folder.name, "model.gguf")
        config = self.config(f'[[endpoint]]\nname = "edge"\ntier = "edge"\nengine = {{ model = "{path}" }}\n')
        for content in (b"", b"GGUF\x03\0\0\0", b"GGUF\x03\0\0\0" + b"\xff" * 100, b"nothing of the kind"):
            with open(path, "wb") as file:
                file.write(content)
            self.expect_sentence("ask", "--config", config, "x", contains="not a whole GGUF file")
        # Whole as a file, but of no use to the engine.
        with open(path, "wb") as file:
            file.write(b"GGUF\x03" + b"\0" * 19)
        code, out, err = run("ask", "--config", config, "--plan", "never", "x")
        self.assertEqual((code, out), (2, ""), err)
        self.assertIn(path, err)
        code, out, _ = run("doctor", "--config", config)
        self.assertEqual(code, 1)
        self.assertIn("hybridflow engine", out)
        with open(path, "wb") as file:
            file.write(b"GGUF\x03")
        code, out, _ = run("doctor", "--config", config)
        self.assertEqual(code, 1)
        self.assertIn("not a whole GGUF file", out)
        self.assertNotIn("above", out)

    def test_a_runtime_folder_that_is_not_there_or_too_long_is_not_used(self):
        for folder in ("/nonexistent/run", self.folder.name + "/" + "x" * 100):
            if folder.startswith(self.folder.name):
                os.mkdir(folder, 0o700)
            code, _, err = run("ask", "--config", self.two(), "--plan", "never", "x", env={"XDG_RUNTIME_DIR": folder})
            self.assertEqual(code, 0, err)


def has_engine():
    return json.loads(run("version", "--json")[1])["engine"]


class Build(Sentences):
    def test_a_build_without_an_engine_says_so(self):
        if has_engine():
            self.skipTest("this build has one")
        self.expect_sentence("engine", "some-model", "--slots", "2", contains="no local engine")
        self.assertNotIn("--lab", self.expect_sentence("ask", "x", contains="--config"))
        self.expect_sentence("ask", "--lab", "x", contains="no local engine")

    def test_the_version_is_also_a_flag(self):
        self.assertEqual(run("--version"), run("version"))


class Output(WithStub):
    def full(self, *arguments, stdin=b""):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, input=stdin,
                                  env=clean_environment(), check=False)
        return done.returncode, done.stderr.decode()

    def test_what_does_not_arrive_is_told(self):
        ask = ("ask", "--config", self.two(), "--plan", "never", "x")
        markup = b'<Plan><Step ID="1" Task="a?"/></Plan>'
        for arguments in (ask, (*ask, "--json"), (*ask, "--verbose"), ("version",), ("models", "list"),
                          ("models", "list", "--json"), ("plan", "--parse", "-")):
            with self.subTest(arguments):
                code, err = self.full(*arguments, stdin=markup)
                self.assertEqual(code, 1, err)
                self.assertEqual(err.count("could not all be written"), 1, err)

    def test_a_lost_complaint_is_no_crash(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "ask", "--config", ""], stderr=full, check=False)
        self.assertEqual(done.returncode, 2)

    def test_whoever_has_seen_enough_hears_no_complaint(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([PROGRAM, "version"], stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class Terminal(WithStub):
    STEERING = "\x1b]0;title\x07red \x9b31m alert\x7f"

    def test_a_model_cannot_steer_it_but_a_pipe_gets_every_byte(self):
        command = ("ask", "--config", self.two(edge="control", cloud="control"), "--plan", "never", "x")
        code, out, _ = run(*command)
        self.assertEqual((code, out), (0, self.STEERING + "\n"))
        _, live = on_terminal(*command)
        _, plain = on_terminal(*command, "--verbose")
        _, json_text = on_terminal(*command, "--json")
        for written in (live, plain, json_text, self.only_output_on_terminal(command)):
            rest = MOVES.sub("", COLOURS.sub("", written))
            self.assertIn("alert", rest)
            self.assertFalse([c for c in rest if (c < " " and c != "\n") or "\x7f" <= c < "\xa0"], repr(rest))

    def only_output_on_terminal(self, command):
        return on_terminal_through_shell('"$@" 2>/dev/null', command)

    def test_a_plan_cannot_steer_it_either(self):
        path = os.path.join(self.folder.name, "plan")
        with open(path, "w", encoding="utf-8") as file:
            file.write('<Plan><Step ID="1" Task="look \x9b2J here"/></Plan>')
        _, written = on_terminal("plan", "--parse", path)
        self.assertIn("here", written)
        self.assertNotIn("\x9b", written)

    def long_plan(self, count):
        path = os.path.join(self.folder.name, "plan.json")
        steps = [{"id": str(i), "task": f"What is 漢字 and so on, for number {i}, told at some length?",
                  "relies_on": [str(i - 1)] if i > 1 else []} for i in range(1, count + 1)]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"steps": steps}, file)
        return path

    def test_rows_fit_any_width_and_the_region_any_height(self):
        config = self.two(more="[planner]\nmax_steps = 20\n")
        plan = self.long_plan(16)
        for columns, lines in ((120, 40), (77, 40), (60, 10), (40, 6), (20, 3), (5, 2), (1, 1)):
            with self.subTest((columns, lines)):
                code, written = on_terminal("ask", "--config", config, "--plan", plan, QUESTION, columns=columns, lines=lines)
                self.assertEqual(code, 0, written)
                # All redrawn regions; behind the last one comes the answer.
                regions = MOVES.split(COLOURS.sub("", written))
                self.assertGreater(len(regions), 3)
                for region in regions[:-1]:
                    rows = region.rstrip("\n").split("\n")
                    self.assertLessEqual(len(rows), max(lines - 1, 1))
                    for row in rows:
                        self.assertLess(width_of(row), max(columns, 2), row)

    def test_what_is_said_does_not_stick_to_the_answer(self):
        _, written = on_terminal("ask", "--config", self.two(), "--plan", "never", "--verbose", "x")
        self.assertIn("Answer: 7\n", written)
        self.assertNotRegex(written, r"Answer: 7[^\n]")


def on_terminal_through_shell(script, command):
    master, slave = pty.openpty()
    with subprocess.Popen(["sh", "-c", script, "sh", PROGRAM, *command], stdin=subprocess.DEVNULL, stdout=slave,
                          stderr=slave, env=clean_environment(TERM="xterm")) as child:
        child.wait(60)
    os.close(slave)
    written = b""
    try:
        while piece := os.read(master, 65536):
            written += piece
    except OSError:
        pass
    os.close(master)
    return written.decode("utf-8", "replace").replace("\r\n", "\n")


def width_of(text):
    return sum(2 if "\u2e80" <= c <= "\ua97f" else 1 for c in text)


class Refusals(unittest.TestCase):
    def test_a_refusal_without_a_configuration_stands_alone(self):
        for arguments in (("--deadline", "soon"), ("--plan", "/nonexistent"), ("--scope", "team")):
            with self.subTest(arguments):
                code, out, err = run("ask", *arguments, "x")
                self.assertEqual((code, out), (2, ""))
                self.assertEqual(err.count("\n"), 1, err)


class Signals(WithStub):
    def test_before_anything_has_begun_they_end_with_the_same_code(self):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            with subprocess.Popen([PROGRAM, "ask", "--config", self.two(), "-"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
                # More than a pipe holds: when it is written, the program is reading its question.
                child.stdin.write(b"x" * 100_000)
                child.stdin.flush()
                child.send_signal(number)
                self.assertEqual(child.wait(30), 130)
        self.assertEqual(self.stub.requests, [])

    def test_each_that_asks_for_an_end_settles(self):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                with subprocess.Popen([PROGRAM, "ask", "--config", self.two(cloud="stall"), "--json", "--plan", "never",
                                       "--policy", "cloud", QUESTION], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
                    self.stub.wait_for_request()
                    child.send_signal(number)
                    out, _ = child.communicate()
                self.assertEqual(child.returncode, 130)
                self.assertEqual(json.loads(out)["outcome"], "cancelled")


if __name__ == "__main__":
    unittest.main()
