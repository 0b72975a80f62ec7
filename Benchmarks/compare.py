#!/usr/bin/env python3
"""Runs clients against one server, side by side, and writes what came out.

compare.py --server PROGRAM --peers FILE --data FOLDER --output FOLDER [--quick] [--rounds N]
           [--seconds S] [--only WORD…] [--peer WORD…] [--publish]

FILE has a line of JSON for each client; Peers/build says what is in it. Each round runs every client
once on the same work, in a new order, so that what disturbs the machine disturbs all of them. A rate is
the median over the rounds, shown with the half of its spread. The client has the first core to itself,
helper threads of its runtime included, and the server spins on the second.

FOLDER gets peers.md, peers.json with every single run, and the charts. --publish also writes the files
that are checked in, and the README's chart.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import time

import report
from machine import circumstances, machine_name, show_progress, size_name
from servers import Servers, pin
from work import all_work

MAXIMUM_BYTES = 4 << 30


def run(peer, work, count, servers, data):
    """The line a client prints, or None with a word on standard error."""
    base = servers.tls if work.tls else servers.plain
    command = peer["command"] + [work.url(base, count), work.op, work.type]
    try:
        result = subprocess.run(
            command + [str(work.size), str(count)],
            env=dict(os.environ, WSBENCH_DATA=str(data), **peer["environment"]),
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=pin(0),
        )
        return json.loads(result.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        reason = result.stderr.strip().splitlines()[-1:] if "result" in locals() else [repr(error)]
        print(f"\n{peer['name']} failed: {work.group} {work.size} B: {reason}", file=sys.stderr)
        return None


class Counts:
    """How many messages a client moves in about `seconds`; known from an earlier run of the same
    program on the same machine, or tried."""

    def __init__(self, file, seconds):
        self.file, self.seconds, self.machine = file, seconds, machine_name()
        self.rates = json.loads(file.read_text()) if file.exists() else {}

    def find(self, peer, work, servers, data):
        built = max(pathlib.Path(word).stat().st_mtime_ns for word in peer["command"] if "/" in word)
        key = f"{peer['name']}, {work.group}, {work.size}, {self.machine}, {built}"
        if key not in self.rates:
            rate = self.try_out(peer, work, servers, data)
            if rate is None:
                return None
            self.rates[key] = rate
            self.file.write_text(json.dumps(self.rates, indent=1))
        count = int(self.rates[key] * self.seconds)
        return max(1, min(count, MAXIMUM_BYTES // work.size))

    def try_out(self, peer, work, servers, data):
        """Messages a second; `None` if the client can't do this work."""
        count = 100 if work.op == "rtt" else max(4, min(1000, (4 << 20) // work.size))
        while True:
            line = run(peer, work, count, servers, data)
            if line is None:
                return None
            rate = count / max(line["seconds"], 1e-6)
            if line["seconds"] >= self.seconds / 4 or count * work.size >= MAXIMUM_BYTES:
                return rate
            count = int(min(count * 1000, rate * self.seconds * 1.2)) + 1


def can(peer, work):
    return (peer["tls"] or not work.tls) and (peer["deflate"] or not work.deflate)


def measure(work, peers, rounds, counts, servers, data, dice, progress):
    """Name → the lines of all rounds that came out, or a word: can't, or failed."""
    lines = {peer["name"]: [] if can(peer, work) else "can't" for peer in peers}
    able = [peer for peer in peers if can(peer, work)]
    found = {peer["name"]: counts.find(peer, work, servers, data) for peer in able}
    for number in range(rounds):
        progress(number / rounds)
        for peer in dice.sample(able, len(able)):
            count = found[peer["name"]]
            line = run(peer, work, count, servers, data) if count else None
            if line is not None:
                lines[peer["name"]].append(line)
    return {name: each or "failed" for name, each in lines.items()}


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "peers", "data", "output"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="fewer sizes, shorter runs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="how long one run takes")
    parser.add_argument("--only", nargs="*", help="words of the group's name, or sizes in bytes")
    parser.add_argument("--peer", nargs="*", help="parts of clients' names")
    parser.add_argument("--publish", action="store_true", help="write README.md's figures")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="of the order")
    options = parser.parse_args()

    peers = [json.loads(line) for line in pathlib.Path(options.peers).read_text().splitlines()]
    if options.peer:
        peers = [p for p in peers if any(word in p["name"] for word in options.peer)]
    selected = [w for w in all_work(options.quick) if w.is_named_by(options.only or [])]
    seconds = options.seconds or (0.15 if options.quick else 0.4)
    counts = Counts(pathlib.Path(options.data, "rates.json"), seconds)
    dice = random.Random(options.seed)

    began, results, raw, setting = time.monotonic(), {}, [], ""
    for text in dict.fromkeys(work.text for work in selected):
        data = pathlib.Path(options.data, text)
        with Servers(options.server, data, alone=True) as servers:
            setting = servers.setting
            for work in (work for work in selected if work.text == text):
                index = selected.index(work)

                def progress(part):
                    label = f"{work.group}, {size_name(work.size)}"
                    show_progress((index + part) / len(selected), label)

                progress(0)
                taking_part = [p for p in peers if work.includes(p)]
                lines = measure(
                    work, taking_part, options.rounds, counts, servers, data, dice, progress
                )
                results[work] = report.summarize(work, lines)
                for name, each in lines.items():
                    if isinstance(each, list):
                        raw += [dict(line, peer=name, group=work.group) for line in each]
    show_progress(1, f"{time.monotonic() - began:.0f} s", end="\n\n")

    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    selection = "quick" if options.quick else "all"
    facts = dict(circumstances(), work=selection, setting=setting, seed=options.seed)
    origin = (
        f"`Benchmarks/run peers{' --quick' * options.quick}`: medians of {options.rounds} rounds in random order on"
        f" {machine_name()}, {facts['date']}."
    )
    comparison = report.Comparison(results, peers, origin, facts)
    text = comparison.markdown()
    output.joinpath("peers.md").write_text(text)
    output.joinpath("peers.json").write_text(
        json.dumps(dict(facts, rounds=options.rounds, lines=raw), indent=1)
    )
    output.joinpath("peers.svg").write_text(comparison.chart())
    if options.publish:
        here = pathlib.Path(__file__).resolve().parent
        comparison.publish(here / "charts", here.parent / "README.md")
    print(text)


main()
