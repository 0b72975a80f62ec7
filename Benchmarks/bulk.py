#!/usr/bin/env python3
"""Sends two real files in bulk with both builds of the client, in turn, and prints a table.

bulk.py --data FOLDER --c PROGRAM --swift PROGRAM [--rounds N] [--megabytes M]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

from machine import machine_name, show_progress, size_name

SIZES = [1 << 10, 64 << 10, 1 << 20]


def run(program, type, file, size, amount):
    command = [program, type, str(file), str(size), str(amount)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        sys.exit(f"\n{' '.join(command)}: {result.stdout}{result.stderr}")
    return json.loads(result.stdout)


def describe(type, file):
    data = file.read_bytes()
    if type == "binary":
        return f"binary file, {len(data) >> 20} MiB"
    other = len(data.translate(None, bytes(range(128)))) / len(data)
    return f"text file, {len(data) >> 20} MiB, {other:.0%} not ASCII"


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if i < 1 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("─" * width for width in widths))


def main():
    parser = argparse.ArgumentParser()
    for name in ("data", "c", "swift"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=256, help="per run")
    options = parser.parse_args()

    programs = {"c": options.c, "swift": options.swift}
    jobs = [(type, size) for type in ("text", "binary") for size in SIZES]
    lines = {(job, kernels): [] for job in jobs for kernels in programs}
    total, done, began = len(lines) * options.rounds, 0, time.monotonic()
    for _ in range(options.rounds):
        for type, size in jobs:
            for kernels, program in programs.items():
                label = f"{type}, messages of {size_name(size)}, {kernels} kernels"
                show_progress(done / total, label)
                file = pathlib.Path(options.data, type)
                line = run(program, type, file, size, options.megabytes << 20)
                lines[(type, size), kernels].append(line)
                done += 1
    show_progress(1, f"{time.monotonic() - began:.0f} s", end="\n\n")

    names = {k: lines[jobs[0], k][0]["kernels"] for k in programs}
    head = f"C kernels ({names['c']})", f"Swift kernels ({names['swift']})", "C : Swift"
    rows = [("sent and checked", "messages of", *head)]
    for type, size in jobs:
        rates = {
            k: [line["bytes"] / line["seconds"] / 1e6 for line in lines[(type, size), k]]
            for k in programs
        }
        ratio = statistics.median(c / s for c, s in zip(rates["c"], rates["swift"]))
        medians = [f"{statistics.median(rates[k]):,.0f} MB/s" for k in programs]
        what = describe(type, pathlib.Path(options.data, type))
        rows.append((what, size_name(size), *medians, f"{ratio:.2f}"))
    print_table(rows)
    amount = sum(line["bytes"] for all in lines.values() for line in all) / 1e9
    print(
        f"\n{amount:.1f} GB went over ws:// on 127.0.0.1, and the server found each byte right."
        f"\nMedians of {options.rounds} interleaved rounds on {machine_name()};"
        " client and server share them."
    )


main()
