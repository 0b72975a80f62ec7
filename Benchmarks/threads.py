#!/usr/bin/env python3
"""What compressing a batch on several threads brings, beside one thread at the same settings.

threads.py --server PROGRAM --program PROGRAM --data FOLDER --output FOLDER [--rounds N] [--threads N]

Each message is compressed by itself (client_no_context_takeover), in both cases.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from machine import circumstances, in_words, machine_name, publish, show_progress
from servers import Servers

# Messages of one run, by their size: about half a second with one thread.
COUNTS = {1024: 8_000, 16_384: 600, 65_536: 150}


def run(options, url, size, count, threads):
    command = [options.program, f"{url}/sink?count={count}&size={size}&type=text&deflate=1", "send", "text", str(size), str(count)]
    environment = os.environ | {"WSBENCH_DATA": options.data, "WSBENCH_DEFLATE_THREADS": str(threads)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    if result.returncode != 0:
        sys.exit(f"\n{' '.join(command)}: {result.stdout}{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])["seconds"]


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "program", "data", "output"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--publish", action="store_true", help="write charts/threads.md")
    options = parser.parse_args()

    cases = [(size, threads) for size in COUNTS for threads in (1, options.threads)]
    seconds = {case: [] for case in cases}
    with Servers(options.server, options.data) as servers:
        for number in range(options.rounds):
            for index, (size, threads) in enumerate(cases):
                done = number * len(cases) + index
                show_progress(done / (options.rounds * len(cases)), f"{size} bytes, {threads} threads")
                seconds[size, threads].append(run(options, servers.plain, size, COUNTS[size], threads))
    show_progress(1, "", end="\n\n")

    text = [
        f"`Benchmarks/run threads`: medians of {options.rounds} interleaved pairs on {machine_name()},"
        " where the server, which inflates, shares the cores. Text at zlib's default level.",
        "",
        f"| message | 1 thread, MB/s | {options.threads} threads, MB/s | ratio |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for size, count in COUNTS.items():
        one, many = seconds[size, 1], seconds[size, options.threads]
        ratio = statistics.median(a / b for a, b in zip(one, many))
        rates = (size * count / statistics.median(each) / 1e6 for each in (one, many))
        text.append(f"| {size:,} | " + " | ".join(f"{rate:.1f}" for rate in rates) + f" | {ratio:.2f} |")
    text += ["", in_words(circumstances())]
    report = "\n".join(text) + "\n"
    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    output.joinpath("threads.md").write_text(report)
    if options.publish:
        publish("threads", "Compression on several threads", report)
    output.joinpath("threads.json").write_text(
        json.dumps([{"size": s, "threads": t, "seconds": v} for (s, t), v in seconds.items()], indent=1)
    )
    print(report)


main()
