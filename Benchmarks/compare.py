#!/usr/bin/env python3
"""Runs clients against one server, side by side, and writes what came out.

compare.py --server PROGRAM --peers FILE --data FOLDER --output FOLDER [--quick] [--rounds N]
           [--seconds S] [--only WORD…] [--peer WORD…] [--publish]

FILE has a line of JSON for each client: name, command, environment, tls, deflate. Each round runs
every client once on the same work, so that what disturbs the machine disturbs all of them. A rate is
the median over the rounds; a ratio is the median of the ratios of each round, against the first
client of FILE. On two cores and more the client has one to itself and the server another.

FOLDER gets peers.md, peers.json with every single run, and the charts. --publish also writes the chart
that is checked in, and README.md's figures.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import report
from machine import machine_name, show_progress, size_name
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
    """How many messages a client moves in about so many seconds; known from an earlier run, or tried."""

    def __init__(self, file, seconds):
        self.file, self.seconds = file, seconds
        self.rates = json.loads(file.read_text()) if file.exists() else {}

    def find(self, peer, work, servers, data):
        key = f"{peer['name']}, {work.group}, {work.size}"
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


def measure(work, peers, rounds, counts, servers, data, progress):
    """Name → the lines of all rounds, for the clients that can do this work."""
    able = [p for p in peers if (p["tls"] or not work.tls) and (p["deflate"] or not work.deflate)]
    found = {peer["name"]: counts.find(peer, work, servers, data) for peer in able}
    able = [peer for peer in able if found[peer["name"]]]
    lines = {peer["name"]: [] for peer in able}
    for number in range(rounds):
        progress(number / rounds)
        for peer in able:
            lines[peer["name"]].append(run(peer, work, found[peer["name"]], servers, data))
    return {name: each for name, each in lines.items() if each and None not in each}


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
    options = parser.parse_args()

    peers = [json.loads(line) for line in pathlib.Path(options.peers).read_text().splitlines()]
    if options.peer:
        peers = [p for p in peers if any(word in p["name"] for word in options.peer)]
    selected = [w for w in all_work(options.quick) if w.is_named_by(options.only or [])]
    seconds = options.seconds or (0.1 if options.quick else 0.12)
    counts = Counts(pathlib.Path(options.data, "rates.json"), seconds)

    began, results, raw = time.monotonic(), {}, []
    with Servers(options.server, options.data, alone=True) as servers:
        for index, work in enumerate(selected):

            def progress(part):
                label = f"{work.group}, {size_name(work.size)}"
                show_progress((index + part) / len(selected), label)

            progress(0)
            lines = measure(work, peers, options.rounds, counts, servers, options.data, progress)
            results.setdefault(work.group, {})[work] = report.summarize(work, lines)
            raw += [dict(line, peer=name, group=work.group) for name, all in lines.items() for line in all]
    show_progress(1, f"{time.monotonic() - began:.0f} s", end="\n\n")

    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    machine = machine_name()
    origin = f"`Benchmarks/run peers`: medians of {options.rounds} interleaved rounds on {machine}."
    text = report.markdown(results, origin)
    output.joinpath("peers.md").write_text(text)
    output.joinpath("peers.json").write_text(
        json.dumps({"machine": machine, "rounds": options.rounds, "lines": raw}, indent=1)
    )
    for name, drawing in report.charts(results, origin.replace("`", "")).items():
        output.joinpath(f"{name}.svg").write_text(drawing)
    if options.publish:
        here = pathlib.Path(__file__).resolve().parent
        report.publish(results, origin, here / "charts", here.parent / "README.md")
    print(text)


main()
