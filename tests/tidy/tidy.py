#!/usr/bin/env python3
"""Checks the tree against the project's own rules.

    tidy.py ROOT         prints each violation as file:line: rule: sentence; exits 1 if there are any
    tidy.py --self-test  plants one violation of every rule in a scratch tree and expects to see it

What a compiler or clang-tidy can see is left to them; this is about the tree as text.
"""

import pathlib
import re
import sys
import tempfile

HEADER_LINES = 200
SOURCE_LINES = 500
COLUMNS = 100
WIDE_FILES = {"src/plan/prompts.cc"}  # Prompts stand as they are sent, a rule a line.

# Folders whose code must behave the same on every machine at any time.
DETERMINISTIC_RANK = 4
DETERMINISTIC_MODULES = {"wire"}
BANNED = re.compile(
    r"::now\s*\(|\b(?:u|nano)?sleep(?:_for|_until)?\b|\bs?rand\s*\(|\brandom_device\b|\bgetenv\b|"
    r"\bstd::(?:jthread|thread|mutex|shared_mutex|recursive_mutex|cout|cerr)\b")
SLEEP = re.compile(r"\b(?:u|nano)?sleep(?:_for|_until)?\s*\(")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
HOSTS = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|huggingface\.co", re.I)

# Who may include what of other people's code: pattern, then modules (or one file).
FOREIGN = [
    (re.compile(r"<(?:boost/(?:asio|beast)|curl/)"), {"net"}),
    (re.compile(r"<boost/json"), {"wire", "engine", "cli", "runtime"}),
    (re.compile(r"<CLI/"), {"cli/main.cc", "cli/commands_bench.cc"}),
    (re.compile(r"<toml\+\+/"), {"config", "catalogue"}),
    (re.compile(r'[<"](?:llama|ggml|gguf)[\w-]*\.h'), {"engine"}),
    (re.compile(r"<regex>"), set()),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])')
CPP = {".h", ".cc"}
TEXT = CPP | {".py", ".sh", ".cmake", ".toml", ".txt", ".md", ".json", ""}
FOLDERS = ["src", "tests", "bench", "fuzz", "cmake", "scripts", "data", ".ci", "docs"]


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def without_comments(text, strings_too=True):
    """The code with comments, and contents of literals if asked, replaced by blanks."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|'
        r"(?<![0-9a-zA-Z])'(?:\\.|[^'\\\n])+'", re.S)

    def replace(match):
        is_comment = match.group().startswith(("//", "/*"))
        return blank(match) if is_comment or strings_too else match.group()

    return token.sub(replace, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Tidy:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.found = []
        self.ranks = {}

    def report(self, file, line, rule, sentence):
        self.found.append((str(file.relative_to(self.root)), line, rule, sentence))

    def run(self):
        self.read_ranks()
        for folder in FOLDERS:
            for file in sorted((self.root / folder).rglob("*")):
                if file.is_file() and file.suffix in TEXT and file != self.myself():
                    self.check_file(file)
        for file in sorted(self.root.glob("*")):
            if file.is_file() and file.suffix in TEXT:
                self.check_text(file, file.read_text(errors="replace"))
        self.check_flows()
        return self.found

    def myself(self):
        return self.root / "tests" / "tidy" / "tidy.py"

    def read_ranks(self):
        table = self.root / "src" / "MODULES"
        for line in table.read_text().splitlines():
            words = line.split("#")[0].split()
            if len(words) >= 2:
                self.ranks[words[0]] = int(words[1])
        for folder in sorted(p for p in (self.root / "src").iterdir() if p.is_dir()):
            if folder.name not in self.ranks:
                self.report(table, 1, "modules", f"src/{folder.name} has no rank")

    def check_flows(self):
        """tests/flows is a manual: its table of contents has every page once, and no other."""
        contents = self.root / "tests" / "flows" / "README.md"
        if not contents.is_file():
            return
        text = contents.read_text()
        listed = re.findall(r"^- \[.*?\]\(([\w-]+\.flow)\): \S", text, re.M)
        pages = {file.name for file in contents.parent.glob("*.flow")}
        for name in sorted(pages - set(listed)):
            self.report(contents.parent / name, 1, "flows", "tests/flows/README.md does not list it")
        for name in sorted(set(listed)):
            if name not in pages or listed.count(name) > 1:
                self.report(contents, line_of(text, text.index(f"({name})")), "flows",
                            f"{name} is gone or listed twice")

    def check_file(self, file):
        text = file.read_text(errors="replace")
        self.check_text(file, text)
        path = file.relative_to(self.root).parts
        if path[0] == "tests" and file.suffix in CPP | {".py"}:
            code = without_comments(text) if file.suffix in CPP else text
            self.match(file, code, SLEEP, "test-sleep", "a test must not sleep; wait for an event")
        if file.suffix not in CPP:
            return
        self.check_size(file, text)
        if file.suffix == ".h" and not re.search(r"^#pragma once$", text, re.M):
            self.report(file, 1, "pragma-once", "a header needs #pragma once")
        if path[0] == "src" and len(path) > 2:
            self.check_source(file, path[1], text)

    def check_text(self, file, text):
        self.match(file, text, UNFINISHED, "unfinished", "finish it or write an issue")
        self.match(file, text, HOSTS, "host-name", "the user's settings say where packages are")

    def check_size(self, file, text):
        lines = text.splitlines()
        # A header in src is a contract to be read whole; one in tests is a helper's source.
        place = file.relative_to(self.root).as_posix()
        is_contract = file.suffix == ".h" and place.startswith("src/")
        limit = HEADER_LINES if is_contract else SOURCE_LINES
        if len(lines) > limit:
            self.report(file, limit + 1, "file-size", f"{len(lines)} lines, at most {limit}")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS and place not in WIDE_FILES:
                self.report(file, number, "columns", f"{len(line)} columns, at most {COLUMNS}")

    def check_source(self, file, module, text):
        code = without_comments(text)
        self.check_includes(file, module, without_comments(text, strings_too=False))
        rank = self.ranks.get(module, 0)
        if rank <= DETERMINISTIC_RANK or module in DETERMINISTIC_MODULES:
            self.match(file, code, BANNED, "determinism", "time, chance and IO are handed in here")
        if module == "net":
            self.check_awaits(file, code)
        else:
            self.match(file, code, re.compile(r"\bco_(?:await|return|yield)\b"), "coroutine",
                       "coroutines belong in src/net")

    def check_includes(self, file, module, code):
        name = "/".join(file.relative_to(self.root / "src").parts)
        for number, line in enumerate(code.splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            what = found.group(1)
            for pattern, allowed in FOREIGN:
                if pattern.match(what) and not {module, name} & allowed:
                    where = ", ".join(sorted(allowed)) or "nobody"
                    self.report(file, number, "foreign", f"{what} is for {where}")
            if what.startswith('"'):
                self.check_own_include(file, module, number, what.strip('"'))

    def check_own_include(self, file, module, number, path):
        if not (self.root / "src" / path).is_file():
            if "llama" not in path and "ggml" not in path:
                self.report(file, number, "include", f"there is no src/{path}")
            return
        other = path.split("/")[0]
        mine, theirs = self.ranks.get(module, 0), self.ranks.get(other, 0)
        if other != module and theirs >= mine:
            self.report(file, number, "upward",
                        f"{module} (rank {mine}) includes {other} (rank {theirs})")

    def check_awaits(self, file, code):
        """No braces and no lambda inside the arguments of an awaited call (see CONTRIBUTING.md)."""
        for found in re.finditer(r"\bco_await\b", code):
            depth, before = 0, ""
            for offset in range(found.end(), len(code)):
                c = code[offset]
                if c == ";" or (c == ")" and depth == 0) or (c == "{" and depth == 0):
                    break
                depth += (c == "(") - (c == ")")
                is_lambda = c == "[" and not re.search(r"[\w\])]$", before)
                if depth > 0 and (c == "{" or is_lambda):
                    self.report(file, line_of(code, offset), "await",
                                "name the argument before the co_await")
                    break
                if not c.isspace():
                    before = c

    def match(self, file, text, pattern, rule, sentence):
        for found in pattern.finditer(text):
            self.report(file, line_of(text, found.start()), rule,
                        f"'{found.group().strip()}': {sentence}")


# rule, file, content: each must be reported under exactly that rule.
PLANTED = [
    ("modules", "src/stray/a.h", "#pragma once\n"),
    ("upward", "src/low/a.cc", '#include "high/x.h"\n'),
    ("upward", "src/net/a.cc", '#include "peer/x.h"\n'),
    ("include", "src/high/a.cc", '#include "low/gone.h"\n'),
    ("pragma-once", "src/low/a.h", "int f();\n"),
    ("file-size", "src/low/a.h", "#pragma once\n" + "\n" * HEADER_LINES),
    ("file-size", "src/low/a.cc", "\n" * (SOURCE_LINES + 1)),
    ("columns", "tests/low/a_test.cc", "//" + "x" * COLUMNS + "\n"),
    ("determinism", "src/low/a.cc", "auto t = Clock::now();\n"),
    ("determinism", "src/low/a.cc", 'auto t = getenv("HOME");\n'),
    ("determinism", "src/low/a.cc", "std::mutex m;\n"),
    ("determinism", "src/wire/a.cc", "std::cout << 1;\n"),
    ("determinism", "src/low/a.cc", "int r = rand();\n"),
    ("determinism", "src/low/a.cc", "std::random_device d;\n"),
    ("determinism", "src/low/a.cc", "void f() { sleep(1); }\n"),
    ("test-sleep", "tests/low/a_test.cc", "std::this_thread::sleep_for(x);\n"),
    ("test-sleep", "tests/e2e/a.py", "time.sleep(1)\n"),
    ("flows", "tests/flows/new.flow", "# A page that nobody lists.\n"),
    ("flows", "tests/flows/README.md", "- [gone](gone.flow): It is gone.\n"),
    ("flows", "tests/flows/README.md", 2 * "- [page](page.flow): Twice.\n"),
    ("flows", "tests/flows/README.md", "- [page](page.flow):\n"),
    ("unfinished", "src/low/a.cc", "// TODO: later\n"),
    ("unfinished", "Makefile", "# FIXME\n"),
    ("host-name", "scripts/get", "curl https://pypi.org/simple\n"),
    ("foreign", "src/high/a.cc", "#include <boost/asio.hpp>\n"),
    ("foreign", "src/high/a.cc", "#include <curl/curl.h>\n"),
    ("foreign", "src/low/a.cc", "#include <boost/json.hpp>\n"),
    ("foreign", "src/cli/a.cc", "#include <CLI/CLI.hpp>\n"),
    ("foreign", "src/high/a.cc", "#include <llama.h>\n"),
    ("foreign", "src/high/a.cc", '#include "llama.h"\n'),
    ("foreign", "src/low/a.cc", "#include <toml++/toml.h>\n"),
    ("foreign", "src/low/a.cc", "#include <regex>\n"),
    ("coroutine", "src/high/a.cc", "Task f() { co_return; }\n"),
    ("await", "src/net/a.cc", "Task f() { co_await g(Args{1}); }\n"),
    ("await", "src/net/a.cc", "Task f() { co_await g(x, [x] { h(x); }); }\n"),
    ("await", "src/net/a.cc", "Task f() { if (co_await g({1, 2})) { h(); } }\n"),
]
HARMLESS = [
    ("src/low/a.cc", '// Clock::now() and TODOs are words\nconst char* s = "sleep(1) std::mutex";\n'),
    ("src/low/a.cc", "int operand(int n);\nint x = operand(1'000'000) + 'a';\n"),
    ("src/high/a.cc", '#include "high/x.h"\n#include "low/x.h"\n#include <vector>\n'),
    ("src/high/a.cc", "std::mutex m; auto t = Clock::now();\n"),
    ("src/net/a.cc", "Task f() { while (co_await g(a[0], std::move(b), t.x())) { h({1}); } }\n"),
    ("src/net/a.cc", "#include <boost/asio.hpp>\nTask f() { auto r = co_await g(); h([] {}); }\n"),
    ("src/wire/a.cc", "#include <boost/json.hpp>\n"),
    ("src/cli/main.cc", "#include <CLI/CLI.hpp>\n"),
    ("tests/low/a_test.cc", "TEST(A, DoesNotSleep) {}\n"),
    ("tests/flows/README.md", "# Manual\n\n- [page](page.flow): What it shows.\n"),
]


def findings_of(file, content):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        modules = {"low": 1, "peer": 5, "net": 5, "wire": 5, "high": 6, "cli": 8}
        for name in modules:
            header = root / "src" / name / "x.h"
            header.parent.mkdir(parents=True)
            header.write_text("#pragma once\n")
        table = "".join(f"{name} {rank} what\n" for name, rank in modules.items())
        (root / "src" / "MODULES").write_text("# table\n" + table)
        flows = root / "tests" / "flows"
        flows.mkdir(parents=True)
        (flows / "page.flow").write_text("# A page.\n")
        (flows / "README.md").write_text("- [page](page.flow): What it shows.\n")
        target = root / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        return Tidy(root).run()


def self_test():
    failures = 0
    for rule, file, content in PLANTED:
        found = {name for _, _, name, _ in findings_of(file, content)}
        if found != {rule}:
            print(f"planted {rule} in {file} ({content[:60]!r}): found {sorted(found)}")
            failures += 1
    for file, content in HARMLESS:
        for finding in findings_of(file, content):
            print(f"harmless {file} ({content[:60]!r}): found {finding}")
            failures += 1
    print(f"{len(PLANTED)} planted, {len(HARMLESS)} harmless, {failures} wrong")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = Tidy(sys.argv[1]).run()
    for file, line, rule, sentence in found:
        print(f"{file}:{line}: {rule}: {sentence}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
