#!/usr/bin/env python3
"""What compressing one connection's messages on several threads brings.

deflate.py --server PROGRAM --client PROGRAM --data FOLDER --output FOLDER [--threads N…]
           [--rounds N] [--seconds S]

Each round sends the same text messages in one batch with each number of threads in turn, level 6 and
no context takeover, to a server that inflates them. A ratio is the median of the ratios of each round,
against the first number of threads.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from machine import machine_name, show_progress, size_name

SIZES = [1 << 10, 64 << 10, 1 << 20]


def run(client, data, url, size, count, threads):
    command = [client, f"{url}/sink?count={count}&size={size}&type=text&deflate=1", "send", "text"]
    environment = dict(os.environ, WSBENCH_DATA=data, WSBENCH_DEFLATE_THREADS=str(threads))
    result = subprocess.run(
        command + [str(size), str(count)], env=environment, capture_output=True, text=True, timeout=120
    )
    if result.returncode != 0:
        sys.exit(f"\n{' '.join(command)}: {result.stdout}{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "client", "data", "output"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="how long one run takes")
    options = parser.parse_args()

    server = subprocess.Popen(
        [options.server], stdout=subprocess.PIPE, text=True, env=dict(os.environ, WSBENCH_DATA=options.data)
    )
    rows = []
    try:
        url = f"ws://127.0.0.1:{server.stdout.readline().strip()}"
        for index, size in enumerate(SIZES):
            measure = lambda count, threads: run(options.client, options.data, url, size, count, threads)
            count = max(2, (4 << 20) // size)
            count = int(count * options.seconds / measure(count, options.threads[0])["seconds"]) + 1
            rounds = []
            for number in range(options.rounds):
                show_progress((index + number / options.rounds) / len(SIZES), size_name(size))
                rounds.append([measure(count, threads) for threads in options.threads])
            for column, threads in enumerate(options.threads):
                rate = statistics.median(count * size / each[column]["seconds"] / 1e6 for each in rounds)
                cpu = statistics.median(
                    (each[column]["user_cpu"] + each[column]["sys_cpu"]) / (count * size) * 1e9 for each in rounds
                )
                ratio = statistics.median(each[0]["seconds"] / each[column]["seconds"] for each in rounds)
                rows.append((size_name(size), threads, f"{rate:.0f}", f"{cpu:.1f}", f"{ratio:.2f}"))
    finally:
        server.kill()
        server.wait()
    show_progress(1, "", end="\n\n")

    header = ("Message", "Threads", "MB/s", "Client's CPU s/GB", "Ratio")
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [header, ("---",) * len(header), *rows]]
    origin = f"`Benchmarks/run deflate`: medians of {options.rounds} interleaved rounds on {machine_name()}."
    text = "\n".join([*lines, "", origin, ""])
    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    output.joinpath("deflate.md").write_text(text)
    print(text)


main()
