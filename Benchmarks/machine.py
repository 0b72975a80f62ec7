"""What the benchmark scripts share: names for people, and a progress bar."""

import os
import pathlib
import platform
import shutil
import sys


def size_name(size):
    if size < 1 << 10:
        return f"{size} B"
    return f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB"


def machine_name():
    model = platform.machine()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(": ")[2]
            break
    count = len(os.sched_getaffinity(0))
    return f"{count} core{'s' * (count > 1)} of {model}"


def show_progress(share, label, end=""):
    """Draws over the current line of a terminal; elsewhere, a line for each tenth."""
    bar = "█" * int(30 * share)
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 38
        print(f"\r{bar:░<30} {share:4.0%}  {label[:width]:{width}}", end=end, file=sys.stderr)
    elif int(10 * share) > show_progress.shown:
        print(f"{bar:░<30} {share:4.0%}  {label}", file=sys.stderr)
    show_progress.shown = int(10 * share) if share < 1 else -1
    sys.stderr.flush()


show_progress.shown = -1
