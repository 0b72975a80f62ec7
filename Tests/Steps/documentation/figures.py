#!/usr/bin/env python3
"""Holds the figures of the documentation against the results that are checked in.

    figures.py DOCUMENT...

A paragraph or table that names a benchmark (`Benchmarks/run …`) may only have numbers that stand in a page
of Benchmarks/charts; and a measured figure, such as "3 times as fast" or "2 GB/s", has to name its benchmark.
"""
import pathlib
import re
import sys

NUMBER = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*(?![\w])")
BENCHMARK = re.compile(r"`Benchmarks/run\b")
MEASURED = re.compile(
    r"\d[\d.,]*(?: [kMG])?(?: ?(?:GB|MB)/s| times as (?:fast|much)| (?:million|thousand|messages|trips)"
    r" (?:messages )?a second| ns\b)"
)

results = {
    number
    for page in pathlib.Path("Benchmarks/charts").glob("*.md")
    for number in NUMBER.findall(page.read_text(encoding="utf-8"))
}


def blocks(text):
    """Paragraphs, each with the table that it introduces; what stands in code is no claim."""
    text = re.sub(r"(?ms)^```.*?^```$", lambda code: "\n" * code.group().count("\n"), text)
    line = 1
    for block in re.split(r"\n\n(?!\|)", text):
        yield line + len(block) - len(block.lstrip("\n")), block
        line += block.count("\n") + 2


problems = []
for document in sys.argv[1:]:
    for line, block in blocks(pathlib.Path(document).read_text(encoding="utf-8")):
        if BENCHMARK.search(block):
            claims = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", block)
            unknown = [number for number in NUMBER.findall(claims) if number not in results]
            if unknown:
                problems.append(f"{document}:{line}: in no result: {', '.join(unknown)}")
        elif claim := MEASURED.search(block):
            problems.append(f"{document}:{line}: no benchmark is named for {claim.group()}")
print("\n".join(problems), end="\n" * bool(problems))
sys.exit(bool(problems))
