#!/usr/bin/env python3
"""Runs clients against one server, side by side, and writes what came out.

compare.py --server PROGRAM --peers FILE --data FOLDER --output FOLDER [--rounds N] [--seconds S]
           [--only WORD…] [--peer WORD…]

FILE has a line of JSON for each client: name, command, environment, tls, deflate. Each round runs
every client once on the same work, so that what disturbs the machine disturbs all of them. A rate is
the median over the rounds; a ratio is the median of the ratios of each round, against the first
client of FILE. On two cores and more the client has one to itself and the server another.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import chart
from machine import machine_name, show_progress, size_name

MAXIMUM_BYTES = 4 << 30
SMALL = [16, 125, 1 << 10]
LARGE = [16 << 10, 64 << 10, 1 << 20]


@dataclasses.dataclass(frozen=True)
class Work:
    op: str
    type: str
    size: int
    tls: bool = False
    deflate: bool = False

    @property
    def group(self):
        words = {"send": "Send", "recv": "Receive", "rtt": "Round trip"}[self.op] + f" {self.type}"
        return words + (", TLS" if self.tls else "") + (", permessage-deflate" if self.deflate else "")

    def url(self, base, count):
        path = {"send": "sink", "recv": "source", "rtt": "echo"}[self.op]
        deflate = "&deflate=1" if self.deflate else ""
        return f"{base}/{path}?count={count}&size={self.size}&type={self.type}{deflate}"

    def unit(self):
        return "µs median / p99" if self.op == "rtt" else "messages/s" if self.size in SMALL else "MB/s"

    def value(self, line):
        if self.op == "rtt":
            return line["p50_us"]
        rate = line["count"] / line["seconds"]
        return rate if self.size in SMALL else rate * self.size / 1e6


def all_work():
    for op in ("send", "recv"):
        for type in ("binary", "text"):
            yield from (Work(op, type, size) for size in SMALL + LARGE)
    yield from (Work("rtt", "binary", size) for size in (16, 1 << 10))
    for op in ("send", "recv"):
        yield from (Work(op, "binary", size, tls=True) for size in (16 << 10, 1 << 20))
        yield from (Work(op, "text", size, deflate=True) for size in (1 << 10, 64 << 10))


def pin(core):
    """What a child does first: stay on its core, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    return (lambda: os.sched_setaffinity(0, {cores[core]})) if len(cores) > 1 else None


class Servers:
    """The plain server and the one with TLS, for as long as the block runs."""

    def __init__(self, program, data):
        self.program, self.environment = program, dict(os.environ, WSBENCH_DATA=str(data))
        certificate = [f"{data}/certificate.pem", f"{data}/key.pem"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
            + ["-out", certificate[0], "-keyout", certificate[1]],
            check=True,
            capture_output=True,
        )
        spin = ["--spin"] if pin(1) else []
        self.processes = []
        self.plain = "ws://127.0.0.1:" + self.start(spin)
        self.tls = "wss://127.0.0.1:" + self.start(spin + ["--tls"] + certificate)

    def start(self, arguments):
        process = subprocess.Popen(
            [self.program] + arguments,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            preexec_fn=pin(1),
        )
        self.processes.append(process)
        return process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


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


def find_count(peer, work, seconds, servers, data):
    """How many messages this client moves in about that time."""
    count = 100 if work.op == "rtt" else max(4, min(1000, (4 << 20) // work.size))
    for _ in range(4):
        line = run(peer, work, count, servers, data)
        if line is None:
            return None
        enough = line["seconds"] >= seconds / 4
        count = int(count * min(1000, seconds / max(line["seconds"], 1e-6)))
        count = max(1, min(count, MAXIMUM_BYTES // work.size))
        if enough:
            break
    return count


def measure(work, peers, rounds, seconds, servers, data, progress):
    """Name → the lines of all rounds, for the clients that can do this work."""
    counts = {}
    for peer in peers:
        if (work.tls and not peer["tls"]) or (work.deflate and not peer["deflate"]):
            continue
        counts[peer["name"]] = find_count(peer, work, seconds, servers, data)
    able = [peer for peer in peers if counts.get(peer["name"])]
    lines = {peer["name"]: [] for peer in able}
    for number in range(rounds):
        progress(number / rounds)
        for peer in able:
            lines[peer["name"]].append(run(peer, work, counts[peer["name"]], servers, data))
    return {name: each for name, each in lines.items() if each and None not in each}


def summarize(work, lines):
    """Name → rate, ratio to the first client (above 1 is faster than it), CPU seconds per GB."""
    first = next(iter(lines.values()), None)
    summary = {}
    for name, each in lines.items():
        values = [work.value(line) for line in each]
        pairs = zip(values, (work.value(line) for line in first))
        ratios = [b / a if work.op == "rtt" else a / b for a, b in pairs]
        gigabytes = [line["count"] * line["size"] / 1e9 for line in each]
        cpu = [line["user_cpu"] + line["sys_cpu"] for line in each]
        summary[name] = {
            "value": statistics.median(values),
            "ratio": statistics.median(ratios),
            "cpu_s_per_gb": statistics.median(c / g for c, g in zip(cpu, gigabytes)),
        }
        if work.op == "rtt":
            summary[name]["p99_us"] = statistics.median(line["p99_us"] for line in each)
    return summary


def number(value):
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 1e4:
        return f"{value / 1e3:.3g} k"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def markdown(results, machine, rounds):
    text = [f"Medians of {rounds} interleaved rounds on {machine}; × is against the first line."]
    for group, works in results.items():
        text += ["", f"## {group}", ""]
        heads = (f"{size_name(w.size)}, {w.unit()}" for w in works)
        text.append("| client | " + " | ".join(heads) + " |")
        text.append("| --- |" + " ---: |" * len(works))
        names = dict.fromkeys(name for summary in works.values() for name in summary)
        for name in names:
            cells = []
            for work, summary in works.items():
                if name not in summary:
                    cells.append("–")
                    continue
                one = summary[name]
                cell = f"{number(one['value'])} ({one['ratio']:.2f}×)"
                if work.op == "rtt":
                    cell = f"{one['value']:.1f} / {one['p99_us']:.1f} ({one['ratio']:.2f}×)"
                cells.append(cell)
            text.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "peers", "data", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--only", nargs="*", help="words of the group's name, or sizes")
    parser.add_argument("--peer", nargs="*", help="words of the client's name")
    options = parser.parse_args()

    peers = [json.loads(line) for line in pathlib.Path(options.peers).read_text().splitlines()]
    if options.peer:
        peers = [p for p in peers if any(word in p["name"] for word in options.peer)]
    selected = [
        work
        for work in all_work()
        if not options.only
        or all(word.lower() in f"{work.group} {work.size}".lower().split() + [work.group.lower()]
               for word in options.only)
    ]
    began, results, raw = time.monotonic(), {}, []
    with Servers(options.server, options.data) as servers:
        for index, work in enumerate(selected):

            def progress(part):
                label = f"{work.group}, {size_name(work.size)}"
                show_progress((index + part) / len(selected), label)

            progress(0)
            lines = measure(
                work, peers, options.rounds, options.seconds, servers, options.data, progress
            )
            results.setdefault(work.group, {})[work] = summarize(work, lines)
            raw += [dict(line, peer=name, group=work.group) for name, all in lines.items() for line in all]
    show_progress(1, f"{time.monotonic() - began:.0f} s", end="\n\n")

    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    machine = machine_name()
    report = markdown(results, machine, options.rounds)
    output.joinpath("peers.md").write_text(report)
    output.joinpath("peers.json").write_text(
        json.dumps({"machine": machine, "rounds": options.rounds, "lines": raw}, indent=1)
    )
    for group, works in results.items():
        panels = [
            chart.Panel(
                f"{size_name(work.size)}, {work.unit()}",
                [(name, one["value"]) for name, one in summary.items()],
            )
            for work, summary in works.items()
        ]
        name = group.lower().replace(",", "").replace(" ", "-")
        better = "lower is better" if group.startswith("Round") else "higher is better"
        output.joinpath(f"{name}.svg").write_text(
            chart.draw(group, f"{better}; medians of {options.rounds} interleaved rounds", panels)
        )
    print(report)


main()
