"""What a run says, as ratios of speed: ours to another's, size by size."""

import statistics

# What, group, ours, the other's.
RATIOS = [
    ("mask, copying : memcpy", "Mask, copying", "c", "memcpy"),
    ("mask in place : memcpy", "Mask, in place", "c", "memcpy"),
    ("mask : wsaccel's loop in C", "Mask, copying", "c", "byte-loop"),
    ("mask : websockets' C from Python", "Mask, copying", "c", "websockets"),
    ("mask, Swift : C", "Mask, copying", "swift", "c"),
    ("UTF-8, AVX-512 : simdutf's", "UTF-8, 64 KiB", "c-avx512", "simdutf-icelake"),
    ("UTF-8, AVX2 : simdutf's", "UTF-8, 64 KiB", "c-avx2", "simdutf-haswell"),
    ("UTF-8, NEON : simdutf's", "UTF-8, 64 KiB", "c-neon", "simdutf-arm64"),
    ("UTF-8 : Node's isUtf8", "UTF-8, 64 KiB", "c", "node"),
    ("UTF-8, scalar : wsaccel's automaton in C", "UTF-8, 64 KiB", "c-scalar", "table-automaton"),
    ("UTF-8, Swift : UTF8Span", "UTF-8, 64 KiB", "swift", "UTF8Span"),
] + [
    (f"one pass : mask, then validate; {name}", "Validate, mask", name, f"{name}-separate")
    for name in ("c-avx512", "c-avx2", "c-neon", "c-scalar", "swift")
]


def ratio(ours, others):
    return statistics.median(other / one for one, other in zip(ours, others))


def summary(results, column_name):
    """Lines of Markdown, without those of what was not measured."""
    lines = []
    for what, group, ours, other in RATIOS:
        columns = next((one for title, one in results.items() if title.startswith(group)), {})
        cells = [
            f"{column_name(column)} {ratio(times[ours], times[other]):.2f}"
            for column, times in columns.items()
            if ours in times and other in times and column[1] > 0
        ]
        if cells:
            lines.append(f"* {what}: " + ", ".join(cells))
    return lines
