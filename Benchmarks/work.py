"""What every client of the comparison does, and how its figures read."""

import dataclasses

SMALL = [16, 125, 1 << 10]
LARGE = [16 << 10, 64 << 10, 1 << 20]
QUICK = [16, 1 << 10, 64 << 10, 1 << 20]


@dataclasses.dataclass(frozen=True)
class Work:
    op: str
    type: str
    size: int
    tls: bool = False
    deflate: bool = False

    @property
    def group(self):
        words = {"send": "Send", "recv": "Receive", "rtt": "Round trip"}[self.op] + f" {self.type}"
        return words + (", TLS" if self.tls else "") + (", permessage-deflate" if self.deflate else "")

    def url(self, base, count):
        path = {"send": "sink", "recv": "source", "rtt": "echo"}[self.op]
        deflate = "&deflate=1" if self.deflate else ""
        return f"{base}/{path}?count={count}&size={self.size}&type={self.type}{deflate}"

    def unit(self):
        return "µs" if self.op == "rtt" else "messages/s" if self.size in SMALL else "MB/s"

    def value(self, line):
        if self.op == "rtt":
            return line["p50_us"]
        rate = line["count"] / line["seconds"]
        return rate if self.size in SMALL else rate * self.size / 1e6

    def is_named_by(self, words):
        """Whether each word is the group's name, a word of it, or the size."""
        group = self.group.lower()
        own = group.replace(",", "").split() + [group, str(self.size)]
        return all(word.lower() in own for word in words)


def all_work(quick=False):
    for op in ("send", "recv"):
        yield from (Work(op, "binary", size) for size in (QUICK if quick else SMALL + LARGE))
        yield from (Work(op, "text", size) for size in (QUICK[1::2] if quick else QUICK))
    yield from (Work("rtt", "binary", size) for size in ([16] if quick else [16, 1 << 10]))
    for op in ("send", "recv"):
        tls = [1 << 20] if quick else [16 << 10, 1 << 20]
        yield from (Work(op, "binary", size, tls=True) for size in tls)
        deflate = [64 << 10] if quick else [1 << 10, 64 << 10]
        yield from (Work(op, "text", size, deflate=True) for size in deflate)
