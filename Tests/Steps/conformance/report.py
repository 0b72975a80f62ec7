#!/usr/bin/env python3
"""The bookkeeping of the conformance run.

report.py select PATTERNS                 case ids from standard input that match a pattern
report.py spec FOLDER SHARDS SHARD        writes the server's specification for one share of the ids
report.py check RESULTS NAME…             judges the cases of each client, prints a summary
"""

import fnmatch
import json
import pathlib
import sys

ACCEPTED = {"OK", "INFORMATIONAL"}


def select(patterns):
    for case in sys.stdin.read().split():
        if any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns.split()):
            print(case)


def spec(folder, shards, shard):
    cases = sys.stdin.read().split()[int(shard) :: int(shards)]
    specification = {
        "url": "ws://127.0.0.1:9001",
        "outdir": f"{folder}/report",
        "cases": cases,
        "exclude-cases": [],
    }
    pathlib.Path(folder, "spec.json").write_text(json.dumps(specification))


def check(results, names):
    passed = failed = 0
    for name in names:
        cases = pathlib.Path(results, f"{name}.cases").read_text().split()
        verdicts = {}
        for index in pathlib.Path(results).glob(f"{name}-*/report/index.json"):
            verdicts.update(json.loads(index.read_text()).get(name, {}))
        bad = []
        for case in cases:
            verdict = verdicts.get(case, {})
            behavior = verdict.get("behavior", "MISSING")
            close = verdict.get("behaviorClose", "MISSING")
            if behavior not in ACCEPTED or close not in ACCEPTED:
                bad.append(f"  {case:8} {behavior}, close {close}")
        informational = sum(v.get("behavior") == "INFORMATIONAL" for v in verdicts.values())
        passed += len(cases) - len(bad)
        failed += len(bad)
        seconds = sum(verdict["duration"] for verdict in verdicts.values()) / 1000
        print(
            f"{name}: {len(cases) - len(bad)} of {len(cases)} cases pass"
            f" ({informational} informational), {seconds:.0f} s in all"
        )
        for line in bad:
            print(line)
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def main(command, *arguments):
    if command == "select":
        select(*arguments)
    elif command == "spec":
        spec(*arguments)
    elif not check(arguments[0], arguments[1:]):
        sys.exit(1)


main(*sys.argv[1:])
