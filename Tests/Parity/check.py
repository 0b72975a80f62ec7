#!/usr/bin/env python3
"""Holds the tables of Tests/Parity/README.md against the code.

    check.py SYMBOLGRAPH... < the help of wsdump

Fails for a row without a name here or a reason, for a name that is no public symbol, and for a test
that isn't in Tests/.
"""
import json
import pathlib
import re
import sys

table = pathlib.Path("Tests/Parity/README.md")
symbols = set()
for path in sys.argv[1:]:
    graph = json.load(open(path, encoding="utf-8"))
    module = graph["module"]["name"]
    prefix = "" if module == "WebSocketClient" else module + "."
    symbols |= {prefix + ".".join(symbol["pathComponents"]) for symbol in graph["symbols"]}
help_text = sys.stdin.read()
sources = "\n".join(path.read_text() for path in pathlib.Path("Sources").rglob("*.swift"))
tests = "\n".join(path.read_text() for path in pathlib.Path("Tests").rglob("*.swift"))
titles = set(re.findall(r'@Test\(\s*"((?:[^"\\]|\\.)*)"', tests))


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
for number, line in enumerate(table.read_text().split("\n"), 1):
    if not line.startswith("| `"):
        continue
    rows += 1
    theirs, here, shown = [cell.strip() for cell in line.strip("|").split(" | ")]
    quoted = re.findall(r'"([^"]*)"', re.sub(r"`[^`]*`", "", shown))
    files = re.findall(r"`(Tests/[^`]*)`", shown)
    if here == "—":
        if len(re.sub(r'"[^"]*"', "", shown).split()) < 3:
            faults.append(f"{number}: {theirs} has neither a name here nor a reason")
    else:
        names = re.findall(r"`([^`]*)`", here)
        faults += [f"{number}: there is no {name}" for name in names if not exists(name)]
        if not names or not (quoted or files):
            faults.append(f"{number}: {theirs} has no test")
    faults += [f"{number}: no test is called \"{title}\"" for title in quoted if title not in titles]
    faults += [f"{number}: there is no {file}" for file in files if not pathlib.Path(file).exists()]

for fault in faults:
    print(f"{table}:{fault}")
print(f"{rows} names, {len(faults)} faults")
sys.exit(1 if faults or rows < 300 else 0)
