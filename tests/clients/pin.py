#!/usr/bin/env python3
"""Writes requirements.txt anew: the newest packages that requirements.in allows, with their hashes.

Asks pip, once for each kind of machine; only wheels are taken. Run it by hand, then the tests.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

MACHINES = ("x86_64", "aarch64")
GLIBC = ("2014", "_2_28", "_2_34")
SKIPPED = {"pip", "setuptools"}  # Every virtual environment has them.
FOLDER = pathlib.Path(__file__).parent


def resolve(machine):
    """Yields (name, version, hash) of every package that pip would install there."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "report.json")
        platforms = [f"--platform=manylinux{version}_{machine}" for version in GLIBC]
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
                        "--only-binary", ":all:", "--python-version", "3.11", *platforms, "--target", folder,
                        "--report", report, "-r", FOLDER / "requirements.in"], check=True)
        for package in json.loads(report.read_text())["install"]:
            data = package["metadata"]
            yield data["name"].lower(), data["version"], package["download_info"]["archive_info"]["hash"]


def main():
    hashes = {}
    for machine in MACHINES:
        for name, version, digest in resolve(machine):
            if name not in SKIPPED:
                hashes.setdefault((name, version), set()).add(digest.replace("=", ":"))
    lines = ["# By pin.py from requirements.in."]
    for (name, version), digests in sorted(hashes.items()):
        lines.append(" \\\n    ".join([f"{name}=={version}", *(f"--hash={digest}" for digest in sorted(digests))]))
    (FOLDER / "requirements.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
