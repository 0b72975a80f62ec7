#!/usr/bin/env python3
"""Times the kernels of this package beside others, in turns, and writes what came out.

kernels.py --data FOLDER --output FOLDER [--rounds N] --command WORDS…  [--command WORDS…]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import chart
from machine import machine_name, show_progress, size_name


def label(work, kind):
    words = {"ascii": "ASCII", "json": "JSON", "text": "many languages", "binary": ""}[kind]
    return work[0].upper() + work[1:] + (f": {words}" if words else "")


def cell(nanoseconds, size):
    return f"{nanoseconds:.1f} ns" if size <= 1024 else f"{size / nanoseconds:.1f} GB/s"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--command", nargs="+", action="append", required=True)
    options = parser.parse_args()

    core = {sorted(os.sched_getaffinity(0))[0]}
    samples, total = {}, options.rounds * len(options.command)
    for turn in range(total):
        command = options.command[turn % len(options.command)]
        show_progress(turn / total, " ".join(pathlib.Path(word).name for word in command))
        result = subprocess.run(
            command + [options.data],
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )
        if result.returncode != 0:
            print(f"\nleft out: {command}: {result.stderr.strip()[-200:]}", file=sys.stderr)
        for line in map(json.loads, result.stdout.splitlines()):
            group = samples.setdefault(label(line["work"], line["kind"]), {})
            group.setdefault(line["peer"], {}).setdefault(line["size"], []).append(line["ns"])
    show_progress(1, "", end="\n\n")

    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    text = [f"Medians of {options.rounds} rounds on {machine_name()}, one core."]
    for title, peers in samples.items():
        sizes = sorted({size for each in peers.values() for size in each})
        text += ["", f"## {title}", ""]
        text.append("| | " + " | ".join(map(size_name, sizes)) + " |")
        text.append("| --- |" + " ---: |" * len(sizes))
        for peer, each in peers.items():
            cells = (cell(statistics.median(each[s]), s) if s in each else "–" for s in sizes)
            text.append(f"| {peer} | " + " | ".join(cells) + " |")
        panels = [
            chart.Panel(
                f"{size_name(size)}, GB/s",
                [(p, size / statistics.median(each[size])) for p, each in peers.items() if size in each],
            )
            for size in sizes
        ]
        name = "kernels-" + title.lower().replace(":", "").replace(",", "").replace(" ", "-")
        note = f"higher is better; medians of {options.rounds} rounds on one core"
        output.joinpath(f"{name}.svg").write_text(chart.draw(title, note, panels))
    report = "\n".join(text) + "\n"
    output.joinpath("kernels.md").write_text(report)
    output.joinpath("kernels.json").write_text(
        json.dumps({"machine": machine_name(), "nanoseconds": samples}, indent=1)
    )
    print(report)


main()
