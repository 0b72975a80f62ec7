#!/usr/bin/env python3
"""Holds the tables of NameByName.md against the code.

    names.py SYMBOLGRAPH... < the help of wsdump

Fails for a row that has neither a name nor a reason, and for a name that users can't write.
"""
import json
import pathlib
import re
import sys

article = pathlib.Path("Sources/WebSocketClient/Documentation.docc/NameByName.md")
symbols = set()
for path in sys.argv[1:]:
    graph = json.load(open(path, encoding="utf-8"))
    module = graph["module"]["name"]
    prefix = "" if module == "WebSocketClient" else module + "."
    symbols |= {prefix + ".".join(symbol["pathComponents"]) for symbol in graph["symbols"]}
help_text = sys.stdin.read()
sources = "\n".join(path.read_text() for path in pathlib.Path("Sources").rglob("*.swift"))


def exists(name):
    """Whether users can write that name: a symbol, a label of a function, a flag, a variable."""
    if name.startswith("-"):
        return re.search(re.escape(name) + r"\b", help_text)
    if name.startswith("$"):
        return f'"{name[1:]}"' in sources
    if name in symbols:
        return True
    match = re.fullmatch(r"(.*)\(((?:\w+:)+)\)", name)
    return match and any(
        symbol.startswith(match[1] + "(") and re.search(r"[(:]" + re.escape(match[2]), symbol)
        for symbol in symbols
    )


faults, rows = [], 0
for number, line in enumerate(article.read_text().split("\n"), 1):
    if not line.startswith("| `"):
        continue
    rows += 1
    theirs, ours = [cell.strip() for cell in line.strip("|").split(" | ")]
    if ours.endswith("."):
        if len(ours.split()) < 3:
            faults.append(f"{number}: {theirs} has no reason")
        continue
    names = re.findall(r"`([^`]*)`", ours)
    faults += [f"{number}: there is no {name}" for name in names if not exists(name)]
    if not names:
        faults.append(f"{number}: {theirs} has neither a name here nor a reason")

for fault in faults:
    print(f"{article}:{fault}")
print(f"{rows} names, {len(faults)} faults")
sys.exit(1 if faults or rows < 200 else 0)
