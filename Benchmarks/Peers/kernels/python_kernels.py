"""The loops behind Python's clients, called from Python: wsaccel's, websockets' and bytes.decode.

python_kernels.py FOLDER      prints lines like bench-kernels
"""

import json
import pathlib
import sys
import time

from websockets.speedups import apply_mask
from wsaccel.utf8validator import Utf8Validator
from wsaccel.xormask import XorMaskerSimple

SIZES = [16, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20]
KEY = b"\xdf\x9b\x57\x13"


def report(peer, work, kind, size, body):
    def nanoseconds(count):
        start = time.perf_counter_ns()
        for _ in range(count):
            body()
        return time.perf_counter_ns() - start

    count = 1
    while nanoseconds(count) < 500_000:
        count *= 2
    best = min(nanoseconds(count) / count for _ in range(10))
    print(json.dumps({"peer": peer, "work": work, "kind": kind, "size": size, "ns": best}))


def main(folder):
    for size in SIZES:
        data = pathlib.Path(folder, f"binary-{size}").read_bytes()
        report("wsaccel", "mask, copying", "binary", size, lambda: XorMaskerSimple(KEY).process(data))
        report("websockets", "mask, copying", "binary", size, lambda: apply_mask(data, KEY))
        for kind in ("ascii", "json", "text"):
            text = pathlib.Path(folder, f"{kind}-{size}").read_bytes()
            validator = Utf8Validator()

            def validate():
                validator.reset()
                if not validator.validate(text)[0]:
                    sys.exit("wsaccel refuses the text")

            report("wsaccel", "validate", kind, size, validate)
            report("bytes.decode", "validate", kind, size, text.decode)


main(*sys.argv[1:])
