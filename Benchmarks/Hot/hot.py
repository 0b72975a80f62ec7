#!/usr/bin/env python3
"""Makes a table and a chart of what `swift package benchmark --format influx` prints."""

import argparse
import csv
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

import chart  # noqa: E402
from machine import machine_name  # noqa: E402

REPETITIONS = 1000  # in a sample, as in Sources/Benchmarks.swift
NAME = re.compile(r"(?P<work>.*), (?P<size>\d+) B(?:, (?P<kernels>C|Swift))?")


def medians(lines):
    """By (work, size): nanoseconds by kernels."""
    times = {}
    for row in csv.reader(line for line in lines if not line.startswith("#")):
        if len(row) > 10 and row[6] == "Time(wallclock)" and row[9] == "50.0":
            name = NAME.fullmatch(row[8])
            label = f"{name['kernels']} kernels" if name["kernels"] else "client, C kernels"
            key = name["work"], int(name["size"])
            times.setdefault(key, {})[label] = float(row[10]) / REPETITIONS
    return dict(sorted(times.items(), key=lambda item: (len(item[1]) == 1, item[0])))


def table(times):
    yield "| nanoseconds | C kernels | Swift kernels |"
    yield "| --- | ---: | ---: |"
    for (work, size), by_kernels in times.items():
        cells = (by_kernels.get(name) for name in ("C kernels", "Swift kernels"))
        if len(by_kernels) == 1:
            cells = (*by_kernels.values(), None)
        figures = " | ".join("" if one is None else f"{one:,.1f}" for one in cells)
        yield f"| {work}, {size:,} B | {figures} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True)
    output = pathlib.Path(parser.parse_args().output)
    times = medians(sys.stdin)
    if not times:
        sys.exit("no benchmark was run")
    report = f"Medians on {machine_name()}.\n\n" + "\n".join(table(times)) + "\n"
    output.mkdir(parents=True, exist_ok=True)
    output.joinpath("hot.md").write_text(report)
    for what, is_client in (("kernels", False), ("client", True)):
        panels = [
            chart.Panel.of(f"{work}, {size:,} B, /s", [(name, 1e9 / time) for name, time in one.items()])
            for (work, size), one in times.items()
            if (len(one) == 1) == is_client
        ]
        drawing = chart.draw(f"Hot paths: {what}", "calls a second, higher is better; medians", panels)
        output.joinpath(f"hot-{what}.svg").write_text(drawing)
    print(report)


if __name__ == "__main__":
    main()
