#!/usr/bin/env python3
"""Measures the kernels side by side, C beside Swift beside others, and prints ratios.

Every contender of a column is asked in turn, round after round, so that what disturbs the machine
disturbs all of them. A figure is the median of the rounds; a ratio is the median of the ratios
within the rounds, and is against the first line of its table.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

import chart  # noqa: E402
from machine import circumstances, in_words, machine_name, publish, show_progress  # noqa: E402
from ratios import summary  # noqa: E402
from texts import make_texts  # noqa: E402

NAMES = {
    "c": "C kernels, as picked",
    "swift": "Swift kernels",
    "c-avx512": "C kernels, AVX-512",
    "c-avx2": "C kernels, AVX2",
    "c-neon": "C kernels, NEON",
    "c-scalar": "C kernels, scalar",
    "c-avx512-separate": "mask, then validate, AVX-512",
    "c-avx2-separate": "mask, then validate, AVX2",
    "c-neon-separate": "mask, then validate, NEON",
    "c-scalar-separate": "mask, then validate, scalar",
    "swift-separate": "mask, then validate, Swift",
    "memcpy": "memcpy",
    "UTF8Span": "UTF8Span(validating:)",
    "simdutf-icelake": "simdutf, AVX-512",
    "simdutf-haswell": "simdutf, AVX2",
    "simdutf-arm64": "simdutf, NEON",
    "node": "Node buffer.isUtf8 (simdutf)",
    "byte-loop": "wsaccel's loop, in C",
    "table-automaton": "wsaccel's automaton, in C",
    "wsaccel": "wsaccel, from Python",
    "websockets": "websockets' C, from Python",
    "python-decode": "bytes.decode, from Python",
}

KI = 1 << 10
TEXTS = ["ASCII", "JSON", "French", "Cyrillic", "CJK", "Korean", "emoji"]
#       title, kernel, columns of (text, size)
GROUPS = [
    ("Mask, copying", "mask",
     [("ASCII", size) for size in (0, 8, 16, 125, 256, KI, 16 * KI, 64 * KI, KI * KI)]),
    ("Mask, copying behind a header of 14 bytes", "mask-header",
     [("ASCII", size) for size in (KI, 4 * KI, 16 * KI, 64 * KI)]),
    ("Mask, in place (memcpy beside it)", "mask-in-place",
     [("ASCII", size) for size in (KI, 16 * KI, 64 * KI, KI * KI)]),
    ("UTF-8, 64 KiB in one piece", "validate", [(text, 64 * KI) for text in TEXTS]),
    ("UTF-8, short messages", "validate",
     [(text, size) for size in (16, 125, KI) for text in ("ASCII", "Cyrillic")]),
    ("UTF-8, 1 MiB in pieces", "pieces",
     [(text, size) for text in ("ASCII", "Cyrillic") for size in (125, 1021, 4093, 65521, KI * KI)]),
    ("Validate, mask and copy", "fused",
     [(text, size) for text in ("ASCII", "JSON", "Cyrillic") for size in (16, 125, KI, 8 * KI, 64 * KI, KI * KI)]),
]


def size_name(size):
    for unit, name in ((KI * KI, "MiB"), (KI, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size:,} B"


def column_name(column):
    text, size = column
    return f"{text} {size_name(size)}"


class Peer:
    """A process that measures; Sources/main.swift has the protocol."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.process.stdin.write("contenders\n")
        self.contenders = [line.strip() for line in iter(self.process.stdout.readline, "\n")]

    def nanoseconds(self, contender, path, size, milliseconds):
        self.process.stdin.write(f"{contender} {path} {size} {milliseconds}\n")
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def report_missing(peers):
    found = " ".join(name for peer in peers for name in peer.contenders)
    for name, remedy in (
        ("websockets", "not installed for this Python"),
        ("wsaccel", "not installed for this Python"),
        ("node", "not installed"),
        ("simdutf", "WSBENCH_SIMDUTF names no library"),
    ):
        if name not in found:
            print(f"left out: {name}: {remedy}", file=sys.stderr)


def measure(peers, kernel, text, size, options):
    """By contender, the nanoseconds of each round."""
    asked = [
        (name.partition(" ")[2], peer, name)
        for peer in peers
        for name in peer.contenders
        if name.partition(" ")[0] == kernel
    ]
    asked.sort(key=lambda one: list(NAMES).index(one[0]))
    times = {contender: [] for contender, _, _ in asked}
    for _ in range(options.rounds):
        for contender, peer, name in asked:
            path = pathlib.Path(options.data, text)
            times[contender].append(peer.nanoseconds(name, path, size, options.milliseconds))
    return times


def cell(times, first, size):
    nanoseconds = statistics.median(times)
    ratio = statistics.median(a / b for a, b in zip(first, times))
    figure = f"{nanoseconds:.1f} ns" if size <= 256 else f"{size / nanoseconds:.3g}"
    return f"{figure} ({ratio:.2f}×)"


def table(title, columns):
    contenders = list(dict.fromkeys(name for times in columns.values() for name in times))
    several = len({text for text, _ in columns}) > 1
    heads = [f"{text}, {size_name(size)}" if several else size_name(size) for text, size in columns]
    lines = ["", f"## {title}", "", "| | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for name in contenders:
        cells = [cell(times[name], times[contenders[0]], size) for (_, size), times in columns.items()]
        lines.append(f"| {NAMES[name]} | " + " | ".join(cells) + " |")
    return lines


def panels(columns):
    for (text, size), times in columns.items():
        if size == 0:
            continue  # An empty call has no rate.
        bars = [(NAMES[name], 1e9 * size / statistics.median(one)) for name, one in times.items()]
        yield chart.Panel.of(f"{text}, {size_name(size)}, bytes/s", bars)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="bench-kernels")
    parser.add_argument("--python", default=sys.executable, help="a Python that has wsaccel, websockets")
    parser.add_argument("--data", required=True, help="folder for the texts")
    parser.add_argument("--output", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--milliseconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--only", default="", help="groups whose title has these letters")
    parser.add_argument("--publish", action="store_true", help="write charts/kernels.md")
    options = parser.parse_args()

    make_texts(pathlib.Path(options.data))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # One core for all, who take turns.
    peers = []
    for command in ([options.program], [options.python, FOLDER / "peer.py"], ["node", FOLDER / "peer.mjs"]):
        with contextlib.suppress(OSError):
            peers.append(Peer(*command))
    report_missing(peers)

    groups = [group for group in GROUPS if options.only.lower() in group[0].lower()]
    began, results = time.monotonic(), {}
    for index, (title, kernel, columns) in enumerate(groups):
        for place, (text, size) in enumerate(columns):
            show_progress((index + place / len(columns)) / len(groups), title)
            times = measure(peers, kernel, text, size, options)
            results.setdefault(title, {})[text, size] = times
    show_progress(1, f"{time.monotonic() - began:.0f} s", end="\n\n")
    for peer in peers:
        peer.close()

    lines = [f"Medians of {options.rounds} interleaved rounds on {machine_name()}. Speed, as ratios:", ""]
    lines += summary(results, column_name)
    print("\n".join(lines))
    lines += ["", "GB/s, up to 256 bytes nanoseconds a call; × is against the first line."]
    for title, columns in results.items():
        lines += table(title, columns)
    lines += ["", in_words(circumstances())]
    report = "\n".join(lines) + "\n"
    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    output.joinpath("kernels.md").write_text(report)
    if options.publish:
        publish("kernels", "Kernels", report)
    raw = [
        {"group": title, "text": text, "size": size, "contender": name, "nanoseconds": times}
        for title, columns in results.items()
        for (text, size), by_name in columns.items()
        for name, times in by_name.items()
    ]
    output.joinpath("kernels.json").write_text(
        json.dumps({"machine": machine_name(), "rounds": options.rounds, "lines": raw}, indent=1)
    )
    for title, columns in results.items():
        name = "kernels-" + "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
        note = f"higher is better; medians of {options.rounds} interleaved rounds"
        output.joinpath(f"{name}.svg").write_text(chart.draw(title, note, list(panels(columns))))
    print(f"\nTables, charts and all times: kernels* in {output}")


if __name__ == "__main__":
    main()
