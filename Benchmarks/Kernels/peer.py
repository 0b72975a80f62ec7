"""Measures the kernels of Python packages, from Python; the protocol is that of Sources/main.swift."""

import sys
import time

KEY = b"\x37\xfa\x21\x3d"
contenders = {}


def contender(name):
    return lambda function: contenders.setdefault(name, function)


@contender("validate python-decode")
def decode(data, times):
    for _ in range(times):
        data.decode()


try:
    from wsaccel.utf8validator import Utf8Validator
    from wsaccel.xormask import XorMaskerSimple

    @contender("mask wsaccel")
    def wsaccel_mask(data, times):
        for _ in range(times):
            XorMaskerSimple(KEY).process(data)

    @contender("validate wsaccel")
    def wsaccel_validate(data, times):
        for _ in range(times):
            assert Utf8Validator().validate(data)[0]
except ImportError:
    pass

try:
    from websockets.speedups import apply_mask

    @contender("mask websockets")
    def websockets_mask(data, times):
        for _ in range(times):
            apply_mask(data, KEY)
except ImportError:
    pass


def measure(run, data, milliseconds):
    deadline = time.perf_counter_ns() + milliseconds * 1_000_000
    times = 1
    while True:
        start = time.perf_counter_ns()
        run(data, times)
        if time.perf_counter_ns() - start > 50_000:
            break
        times *= 2
    batches = []
    while not batches or time.perf_counter_ns() < deadline:
        start = time.perf_counter_ns()
        run(data, times)
        batches.append((time.perf_counter_ns() - start) / times)
    return sorted(batches)[len(batches) // 2]


for line in sys.stdin:
    words = line.split()
    if words == ["contenders"]:
        print("\n".join(contenders), end="\n\n", flush=True)
        continue
    with open(words[2], "rb") as file:
        data = file.read(int(words[3])).decode(errors="ignore").encode()
    print(measure(contenders[" ".join(words[:2])], data, int(words[4])), flush=True)
