"""What the benchmark scripts share: names for people, and a progress bar."""

import datetime
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time


def size_name(size):
    if size < 1 << 10:
        return f"{size} B"
    return f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB"


def cpu_model():
    """The model's name, with the family and model numbers that a bare marketing name leaves out."""
    found = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    model = found.get("model name", platform.machine())
    numbers = [found[name] for name in ("cpu family", "model", "stepping") if name in found]
    return f"{model} ({'/'.join(numbers)})" if numbers else model


def machine_name():
    count = len(os.sched_getaffinity(0))
    return f"{count} core{'s' * (count > 1)} of {cpu_model()}"


def first_line(*command):
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError:
        return "none"
    return (result.stdout or result.stderr).partition("\n")[0].strip()


def circumstances(backend="each build's own"):
    """What a figure depends on, for people and for the files that results are kept in."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine_name(),
        "kernels": backend,
        "system": f"{platform.system()} {platform.release()}",
        "compiler": first_line("swift", "--version"),
        "OpenSSL": first_line("openssl", "version"),
    }


def in_words(facts):
    return "; ".join(f"{name}: {value}" for name, value in facts.items()) + "."


def publish(name, title, report):
    """Writes a report into the folder of the results that are checked in."""
    page = pathlib.Path(__file__).resolve().parent / "charts" / f"{name}.md"
    page.write_text(f"# {title}\n\n{report}")


def show_progress(share, label, end=""):
    """Draws over the current line of a terminal; elsewhere, a line for each label and each 8 seconds."""
    bar = "█" * int(30 * share)
    state = show_progress
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 38
        print(f"\r{bar:░<30} {share:4.0%}  {label[:width]:{width}}", end=end, file=sys.stderr)
    elif label != state.label or time.monotonic() > state.shown + 8:
        print(f"{share:4.0%}  {label}", file=sys.stderr)
        state.label, state.shown = label, time.monotonic()
    sys.stderr.flush()


show_progress.label, show_progress.shown = None, 0
