#!/usr/bin/env python3
"""What many connections, and several threads or tasks on one, cost: times, processor time and memory.

growth.py --server PROGRAM --program PROGRAM --data FOLDER --output FOLDER [--count N] [--rounds N]

Exits with 1 if an idle connection holds more than 8 KiB; what OpenSSL holds for one is shown beside.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import typing

import chart
from machine import circumstances, in_words, machine_name, publish, show_progress
from servers import Servers

CONNECTIONS = [1, 10, 100, 1000]
THREADS = [1, 2]
LIMIT = 8 << 10
MANY = 1000


class Case(typing.NamedTuple):
    connections: int
    workers: int
    kind: str = "threads"
    is_secure: bool = False

    def __str__(self):
        workers = f"{self.workers:,} {self.kind if self.workers > 1 else self.kind[:-1]}"
        connections = f"{self.connections:,} connection{'s' * (self.connections > 1)}"
        return f"{connections}, {workers}{', TLS' * self.is_secure}"


def run(program, url, case, count):
    command = [program, url, str(case.connections), str(case.workers), str(count), case.kind]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        sys.exit(f"\n{' '.join(command)}: {result.stdout}{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def summarize(lines):
    median = lambda value: statistics.median(value(line) for line in lines)
    return {
        "echoes/s": median(lambda line: line["echoes"] / line["echo_seconds"]),
        "CPU µs an echo": median(lambda line: line["echo_cpu"] / line["echoes"] * 1e6),
        "sends/s over one": median(lambda line: line["sends"] / line["send_seconds"]),
        "CPU µs a send": median(lambda line: line["send_cpu"] / line["sends"] * 1e6),
    } | (
        # What all connections share blurs the figure of a few.
        {
            "bytes idle": median(lambda line: line["idle_bytes"]),
            "bytes after use": median(lambda line: line["used_bytes"]),
        }
        if lines[0]["connections"] >= MANY
        else {}
    )


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "program", "data", "output"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=20_000, help="messages of one run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--publish", action="store_true", help="write charts/growth.md")
    options = parser.parse_args()

    # The server has a descriptor for each connection as well.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    cases = [Case(max(c, t), t) for c in CONNECTIONS for t in THREADS]
    cases += [Case(MANY, MANY), Case(MANY, MANY, "tasks"), Case(MANY, 1, is_secure=True)]
    lines = {case: [] for case in cases}
    with Servers(options.server, options.data) as servers:
        for number in range(options.rounds):
            for index, case in enumerate(cases):
                done = number * len(cases) + index
                show_progress(done / (options.rounds * len(cases)), str(case))
                url = (servers.tls if case.is_secure else servers.plain) + "/echo"
                lines[case].append(run(options.program, url, case, options.count))
    show_progress(1, "", end="\n\n")

    results = {case: summarize(each) for case, each in lines.items()}
    heads = list(dict.fromkeys(head for one in results.values() for head in one))
    origin = f"`Benchmarks/run growth`: medians of {options.rounds} interleaved rounds on {machine_name()}."
    text = [
        f"{origin} Messages of 125 bytes to an echo server on the same cores; what an idle connection"
        " holds is resident memory of the client, the kernel's part of a socket not included.",
        "",
        "| | " + " | ".join(heads) + " |",
        "| --- |" + " ---: |" * len(heads),
    ]
    for case, one in results.items():
        values = (one.get(head) for head in heads)
        cells = ("–" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.2f}" for v in values)
        text.append(f"| {case} | " + " | ".join(cells) + " |")
    text += ["", in_words(circumstances())]
    report = "\n".join(text) + "\n"
    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    output.joinpath("growth.md").write_text(report)
    if options.publish:
        publish("growth", "What many connections cost", report)
    output.joinpath("growth.json").write_text(
        json.dumps([line for each in lines.values() for line in each], indent=1)
    )
    panels = [
        chart.Panel.of(head, [(str(case), one[head]) for case, one in results.items() if head in one])
        for head in heads
    ]
    output.joinpath("growth.svg").write_text(
        chart.draw("How the cost grows", origin.replace("`", ""), panels)
    )
    print(report)
    most = max(
        one["bytes after use"]
        for case, one in results.items()
        if case.workers <= max(THREADS) and "bytes after use" in one and not case.is_secure
    )
    if most > LIMIT:
        sys.exit(f"An idle connection holds {most:,.0f} bytes, more than {LIMIT:,}.")


main()
