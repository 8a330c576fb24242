#!/usr/bin/env python3
"""Runs a file of questions through `hybridflow ask` and reports accuracy, tokens, dollars, seconds.

usage: bench/questions.py PROGRAM FILE [--limit N] [--skip N] [--out DIR] [--arm NAME=FLAGS ...]

FILE is JSON lines (or .gz) with "question" and "answer"; the gold answer is the number after "####",
or the whole field. An arm is a name and the flags of `ask`; the default arms are the lab with every
question whole on the edge, whole on the cloud, and HybridFlow. Every receipt is checked: its sums, that
every step of the plan has an ending, and that the budget holds. Exits with 1 if any check failed.
"""

import argparse
import gzip
import json
import math
import pathlib
import re
import shlex
import subprocess
import sys
import time

ARMS = ["edge only=--lab --policy edge --plan never", "cloud only=--lab --policy cloud --plan never",
        "hybridflow=--lab"]
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def number_of(text):
    """The last number of the last line that begins with "Answer:", else of the text."""
    lines = [line for line in text.splitlines() if line.strip().lower().startswith("answer:")]
    for place in ([lines[-1]] if lines else []) + [text]:
        found = NUMBER.findall(place)
        if found:
            return float(found[-1].replace(",", ""))
    return None


def is_right(answer, gold):
    got = number_of(answer)
    want = number_of(gold.split("####")[-1])
    return got is not None and want is not None and math.isclose(got, want, abs_tol=1e-6)


def faults_of(receipt):
    """What does not add up, as sentences."""
    faults = []

    def expect(condition, sentence):
        if not condition:
            faults.append(sentence)

    calls, totals, budget = receipt["calls"], receipt["totals"], receipt["budget"]
    used = lambda call: call["prompt_tokens"] + call["completion_tokens"]
    for tier in ("edge", "cloud"):
        mine = [c for c in calls if c["tier"] == tier]
        expect(totals[tier + "_calls"] == len(mine), f"{tier} calls")
        expect(totals[tier + "_tokens"] == sum(map(used, mine)), f"{tier} tokens")
    expect(totals["pico_usd"] == sum(c["pico_usd"] for c in calls), "dollars")
    expect(budget["usd"]["held"] == 0 and budget["cloud_tokens"]["held"] == 0, "something is still held")
    expect(budget["cloud_tokens"]["spent"] == totals["cloud_tokens"], "cloud tokens against the budget")
    for axis in ("usd", "cloud_tokens"):
        limit = budget[axis]["limit"]
        expect(limit is None or budget[axis]["spent"] <= limit, f"more {axis} spent than allowed")
    steps = {s["id"] for s in receipt["plan"]["steps"]}
    expect(steps == {s["id"] for s in receipt["subtasks"]}, "steps and subtasks differ")
    for subtask in receipt["subtasks"]:
        expect(subtask["state"] in ("done", "failed", "skipped"), f"step {subtask['id']} has no ending")
        mine = [c for c in calls if c["subtask"] == subtask["id"]]
        expect(subtask["pico_usd"] == sum(c["pico_usd"] for c in mine), f"dollars of step {subtask['id']}")
    return faults


def interval(right, total):
    """Wilson's 95 % interval, in percent."""
    z, p = 1.96, right / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return f"[{100 * (middle - half):.0f}, {100 * (middle + half):.0f}]"


def run_arm(program, name, flags, rows, out):
    receipts, faults, right, overlapping = [], [], 0, 0
    begun = time.monotonic()
    for i, row in enumerate(rows):
        done = subprocess.run([program, "ask", "--json", *shlex.split(flags), "-"], input=row["question"].encode(),
                              capture_output=True, timeout=900, check=False)
        try:
            receipt = json.loads(done.stdout)
        except ValueError:
            faults.append(f"question {i}: exit {done.returncode}, no receipt: {done.stderr.decode()[:200]}")
            continue
        receipts.append(receipt)
        faults += [f"question {i}: {fault}" for fault in faults_of(receipt)]
        if done.returncode != 0:
            faults.append(f"question {i}: exit {done.returncode}: {receipt.get('error')}")
        receipt["right"] = is_right(receipt["answer"], row["answer"])
        right += receipt["right"]
        times = [(s["started_ms"], s["finished_ms"]) for s in receipt["subtasks"] if s["attempts"]]
        overlapping += any(a[0] < b[1] and b[0] < a[1] for n, a in enumerate(times) for b in times[n + 1:])
        print(f"\r{name}: {i + 1}/{len(rows)}, {right} right, {time.monotonic() - begun:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)
    if out:
        path = pathlib.Path(out) / (name.replace(" ", "-") + ".jsonl")
        path.write_text("".join(json.dumps(r) + "\n" for r in receipts), encoding="utf-8")
    total = lambda key: sum(r["totals"][key] for r in receipts)
    walls = sorted(r["totals"]["wall_ms"] / 1000 for r in receipts)
    count = max(1, len(receipts))
    print(f"| {name} | {right}/{len(rows)} {interval(right, len(rows))} | {total('edge_calls')} + {total('cloud_calls')} "
          f"| {total('edge_tokens')} | {total('cloud_tokens')} | {total('usd'):.4f} | {sum(walls) / count:.1f} "
          f"| {walls[len(walls) // 2] if walls else 0:.1f} "
          f"| {sum(r['plan']['source'] == 'planner' for r in receipts)} | {overlapping} "
          f"| {sum(r['outcome'] == 'degraded' for r in receipts)} |", flush=True)
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("file")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--out")
    parser.add_argument("--arm", action="append")
    options = parser.parse_args()
    opener = gzip.open if options.file.endswith(".gz") else open
    with opener(options.file, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][options.skip:options.skip + options.limit]
    if options.out:
        pathlib.Path(options.out).mkdir(parents=True, exist_ok=True)
    print("| arm | right, 95 % | edge + cloud calls | edge tokens | cloud tokens | dollars | s mean | s median "
          "| planned | with overlap | degraded |\n|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    faults = []
    for arm in options.arm or ARMS:
        name, _, flags = arm.partition("=")
        faults += [f"{name}, {fault}" for fault in run_arm(options.program, name, flags, rows, options.out)]
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults in {len(options.arm or ARMS) * len(rows)} runs")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
