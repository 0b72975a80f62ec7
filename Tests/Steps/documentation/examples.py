#!/usr/bin/env python3
"""Collects the Swift examples of documents and doc comments into one Swift file.

    examples.py FILE... > examples.swift

A block between ```swift and ``` becomes a function, so that the compiler checks it, an async one if
it awaits something; what it takes for granted is in Examples/Context.swift. A block with <!-- runs --> on a line before it is run too, with
a server of this machine's in place of the one it names. A block with <!-- from FILE --> before it is a part
of a program that is built with the tests, and only compared. In sources, blocks stand behind ///.
"""
import re
import sys
from itertools import zip_longest

URL = re.compile(r'"wss?://[^"/]*([^"]*)"')


ORIGIN = re.compile(r"<!-- from (\S+) -->")


def compare(path, quotations):
    """Holds the blocks that are parts of a program against it: together and in order, they are all of it."""
    for origin, parts in quotations.items():
        program = [line for line in open(origin, encoding="utf-8").read().split("\n") if line]
        quoted = [line for line in parts if line]
        if program != quoted:
            line = next((a or b for a, b in zip_longest(program, quoted) if a != b), "")
            sys.exit(f"{path}: differs from {origin} at: {line.strip()}")


def blocks(path):
    """Yields (line, runs, lines) for each example of a file; the first line has the number 1."""
    quotations = {}
    origin = None
    comment = re.compile(r"^\s*/// ?") if path.endswith(".swift") else re.compile("")
    runs, block, start = False, None, 0
    for number, line in enumerate(open(path, encoding="utf-8").read().split("\n"), 1):
        if block is None and not comment.match(line):
            continue
        line = comment.sub("", line, count=1)
        if block is None:
            if line.strip() == "```swift":
                block, start = [], number + 1
            elif line.strip():
                runs = line.strip() == "<!-- runs -->"
                mark = ORIGIN.fullmatch(line.strip())
                origin = mark.group(1) if mark else None
        elif line.strip() == "```":
            if origin:
                quotations.setdefault(origin, []).extend(block)
            else:
                yield start, runs, block
            runs, block, origin = False, None, None
        else:
            block.append(line)
    if block is not None:
        sys.exit(f"{path}:{start}: the example has no end")
    compare(path, quotations)


def main():
    functions, to_run, imports = [], [], {"import WebSocketAccel", "import WebSocketClient"}
    for path in sys.argv[1:]:
        for start, runs, lines in blocks(path):
            name = f"example{len(functions)}"
            imports |= {line for line in lines if line.startswith("import ")}
            body = "\n".join("" if line.startswith("import ") else line for line in lines)
            if runs:
                body = URL.sub(r'serverURL("\1")', body)
                to_run.append(f'    Example(place: "{path}:{start}", run: {name}),')
            functions.append(
                f"func {name}() {'async ' if 'await ' in body else ''}throws {{\n"
                f'#sourceLocation(file: "{path}", line: {start})\n{body}\n#sourceLocation()\n}}\n'
            )
    print("\n".join(sorted(imports)), "\n\n", "\n".join(functions), sep="")
    print("let examples: [Example] = [", *to_run, "]", sep="\n")


main()
