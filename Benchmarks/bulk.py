#!/usr/bin/env python3
"""What the C kernels bring, from the kernels by themselves to files over TCP, and prints it.

bulk.py --data FOLDER --server PROGRAM --kernels PROGRAM --c PROGRAM --swift PROGRAM --output FOLDER
        [--rounds N] [--megabytes M] [--publish]

Each measurement runs C, Swift, Swift, C, so that a drift of the machine's speed hits both alike. A
ratio is Swift's time divided by C's within such a block; its range is that of all blocks. C divided by
C within a block shows what the same program differs by: a ratio whose range has 1 in it says "same".
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

from machine import circumstances, in_words, publish, show_progress, size_name
from servers import Servers, pin

SIZES = [1 << 10, 64 << 10]
TYPES = ["text", "binary"]


class Kernels:
    """The program that measures kernels by themselves, in buffers that stay in the cache."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pin(0)
        )

    def rate(self, kernel, contender, file, size):
        """GB/s."""
        print(f"{kernel} {contender} {file} {size} 20", file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        try:
            return size / float(line)
        except ValueError:
            sys.exit(f"\nbench-kernels: {kernel} {contender}: {line.strip()}")


def run(*command):
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True, timeout=300, preexec_fn=pin(0))
    if result.returncode != 0:
        sys.exit(f"\n{' '.join(words)}: {result.stdout}{result.stderr}")
    return json.loads(result.stdout)


class Row:
    """The lines of one measurement: blocks of (C, Swift, Swift, C)."""

    def __init__(self, what, type, size):
        self.what, self.type, self.size, self.blocks = what, type, size, []

    def lines(self, kernels):
        picks = (0, 3) if kernels == "c" else (1, 2)
        return [block[i] for block in self.blocks for i in picks]

    def median(self, kernels, value):
        return statistics.median(value(line) for line in self.lines(kernels))

    def ratio(self, value):
        return self.median("swift", value) / self.median("c", value)

    def range(self, value):
        """The smallest and largest Swift : C within a block, and C : C for comparison."""
        ratios, control = [], []
        for c1, s1, s2, c2 in self.blocks:
            ratios += [value(s1) / value(c1), value(s2) / value(c2)]
            control += [value(c1) / value(c2), value(c2) / value(c1)]
        return min(ratios), max(ratios), max(control)

    def ratio_cell(self, value):
        low, high, noise = self.range(value)
        if low <= 1 <= high or max(self.ratio(value), 1 / self.ratio(value)) <= noise:
            return f"same ({low:.2f}–{high:.2f})"
        return f"{self.ratio(value):.2f} ({low:.2f}–{high:.2f})"


def seconds(line):
    return line["seconds"] / line["bytes"] * 1e9


def user(line):
    return line["user"] / line["bytes"] * 1e9


def system(line):
    return line["system"] / line["bytes"] * 1e9


def table(rows):
    text = ["| " + " | ".join(row) + " |" for row in rows]
    text.insert(1, "| " + " | ".join("---" if i < 2 else "---:" for i in range(len(rows[0]))) + " |")
    return text


def aligned(lines):
    """Markdown's tables with columns of one width, so that they read on a terminal too."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    out = []
    for number, row in enumerate(rows):
        if number == 1:
            cells = [
                "-" * (w - 1) + ":" if cell.endswith(":") else "-" * w for cell, w in zip(row, widths)
            ]
        else:
            cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        out.append("| " + " | ".join(cells) + " |")
    return out


def measure_kernels(program, data, progress):
    kernels = Kernels(program)
    rows = []
    for type in TYPES:
        kernel = "fused" if type == "text" else "mask"
        for size in SIZES:
            progress(f"the kernels by themselves: {type}, {size_name(size)}")
            rates = {name: [] for name in ("c", "swift", "memcpy")}
            for _ in range(9):
                for name, each in rates.items():
                    each.append(kernels.rate(kernel, name, data / type, size))
            rows.append((type, size, {name: statistics.median(each) for name, each in rates.items()}))
    kernels.process.stdin.close()
    return rows


def measure_client(what, programs, arguments, type, size, options, progress):
    """`arguments` are those in front of TYPE FILE SIZE BYTES."""
    row = Row(what, type, size)
    amount = options.megabytes << 20
    for _ in range(options.rounds):
        block = []
        for kernels in ("c", "swift", "swift", "c"):
            progress(f"{what}: {type}, {size_name(size)}")
            file = options.data / type
            block.append(run(programs[kernels], *arguments, type, file, size, amount))
        row.blocks.append(block)
    return row


def write_payloads(data):
    """What the server sends: the beginning of each file, a text cut between two characters."""
    for type in TYPES:
        with open(data / type, "rb") as file:
            start = file.read(SIZES[-1] + 4)
        for size in SIZES:
            end = size
            while type == "text" and start[end] & 0xC0 == 0x80:
                end -= 1
            (data / f"{type}-{end}").write_bytes(start[:end])


def report(kernels, discarded, tcp, checked, setting, facts):
    """The lines that people read."""
    text = ["### The kernels by themselves", ""]
    rows = [("work", "bytes at once", "C, GB/s", "Swift, GB/s", "memcpy, GB/s", "C is times as fast")]
    for type, size, rates in kernels:
        work = "check and mask text" if type == "text" else "mask binary"
        figures = [f"{rates[name]:.1f}" for name in ("c", "swift", "memcpy")]
        rows.append((work, size_name(size), *figures, f"{rates['c'] / rates['swift']:.2f}"))
    text += aligned(table(rows))

    text += ["", "### The client without a network (into memory that drops the bytes)", ""]
    rows = [("work", "messages of", "C, GB/s", "Swift, GB/s", "C is times as fast")]
    for row in discarded:
        rates = [f"{1 / row.median(k, seconds):.2f}" for k in ("c", "swift")]
        rows.append((f"send {row.type}", size_name(row.size), *rates, row.ratio_cell(seconds)))
    text += aligned(table(rows))

    text += ["", f"### Over TCP on this machine ({setting})", ""]
    head = ("work", "messages of", "C, MB/s", "Swift, MB/s", "C is times as fast")
    rows = [(*head, "client's user s/GB, C : Swift", "client's kernel s/GB, C : Swift")]
    for row in tcp:
        rates = [f"{1e3 / row.median(k, seconds):,.0f}" for k in ("c", "swift")]
        cpu = [
            " : ".join(f"{row.median(k, value):.3f}" for k in ("c", "swift"))
            for value in (user, system)
        ]
        what = f"{row.what} {row.type}"
        rows.append((what, size_name(row.size), *rates, row.ratio_cell(seconds), *cpu))
    text += aligned(table(rows))

    noise = max(row.range(seconds)[2] for row in tcp)
    share = statistics.mean(
        row.median("c", system) / (row.median("c", system) + row.median("c", user)) for row in tcp
    )
    saved = {
        type: statistics.mean(row.ratio(user) for row in tcp if row.type == type) for type in TYPES
    }
    text += [
        "",
        f"C against C, over TCP, differs by up to {noise - 1:.0%} within a block: a smaller difference"
        ' says "same".',
        f"{checked} messages went through each build to a server that compared every byte.",
        f"Over loopback the kernel's TCP takes {share:.0%} of the client's processor time. Of the rest,"
        f" Swift kernels take {saved['text']:.2f} times as much as C for text, and"
        f" {saved['binary']:.2f} times for binary.",
        "",
        in_words(facts),
    ]
    return text


def main():
    parser = argparse.ArgumentParser()
    for name in ("data", "server", "kernels", "c", "swift", "output"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=2, help="blocks of four runs")
    parser.add_argument("--megabytes", type=int, default=1024, help="per run over TCP")
    parser.add_argument("--publish", action="store_true", help="write charts/bulk.md")
    options = parser.parse_args()

    programs = {"c": options.c, "swift": options.swift}
    cases = [(type, size) for type in TYPES for size in SIZES]
    began, done = time.monotonic(), 0
    total = len(cases) + 12 * len(cases) * options.rounds + 2 * len(cases)

    def progress(label):
        nonlocal done
        show_progress(done / total, label)
        done += 1

    kernels = measure_kernels(options.kernels, options.data, progress)
    discarded = [
        measure_client("without a network", programs, ["discard"], type, size, options, progress)
        for type, size in cases
    ]
    checked = 0
    for type, size in cases:
        for name, program in programs.items():
            progress(f"every byte compared, {name} kernels: {type}, {size_name(size)}")
            line = run(program, "check", type, options.data / type, size)
            checked += line["messages"] if name == "c" else 0
    write_payloads(options.data)
    tcp = []
    with Servers(options.server, options.data, alone=True) as servers:
        for what in ("send", "receive"):
            for type, size in cases:
                arguments = [what, servers.plain]
                row = measure_client(what, programs, arguments, type, size, options, progress)
                tcp.append(row)
        setting = servers.setting
    show_progress(1, f"{time.monotonic() - began:.0f} s", end="\n\n")

    facts = circumstances(tcp[0].blocks[0][0]["kernels"])
    text = report(kernels, discarded, tcp, f"{checked:,}", setting, facts)
    print("\n".join(text))
    options.output.mkdir(parents=True, exist_ok=True)
    lines = [
        dict(what=row.what, type=row.type, size=row.size, blocks=row.blocks)
        for row in discarded + tcp
    ]
    results = dict(facts, setting=setting, kernels_by_themselves=kernels, client=lines)
    options.output.joinpath("bulk.json").write_text(json.dumps(results, indent=1))
    if options.publish:
        page = ["`Benchmarks/run`, all of its output:", "", *text]
        publish("bulk", "What the C kernels bring", "\n".join(page) + "\n")


main()
