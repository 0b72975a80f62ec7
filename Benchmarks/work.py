"""What every client of the comparison does, and how its figures read."""

import dataclasses

SMALL = [16, 125, 1 << 10]
LARGE = [64 << 10, 1 << 20]
QUICK = [16, 1 << 10, 64 << 10]
# The folders of data.py, and what is in them.
TEXTS = {"json": "ASCII JSON", "names": "JSON, some letters not ASCII", "scripts": "many scripts, emoji"}


@dataclasses.dataclass(frozen=True)
class Work:
    op: str
    type: str
    size: int
    tls: bool = False
    deflate: bool = False
    text: str = "json"

    @property
    def group(self):
        words = {"send": "Send", "recv": "Receive", "rtt": "Round trip"}[self.op] + f" {self.type}"
        if self.type == "text":
            words += f" ({TEXTS[self.text]})"
        return words + (", TLS" if self.tls else "") + (", permessage-deflate" if self.deflate else "")

    def url(self, base, count):
        path = {"send": "sink", "recv": "source", "rtt": "echo"}[self.op]
        deflate = "&deflate=1" if self.deflate else ""
        return f"{base}/{path}?count={count}&size={self.size}&type={self.type}{deflate}"

    def includes(self, peer):
        """Some rows show a way to send many at once, or a level of compression, and stand in those tables only."""
        if peer.get("many_only") and self.op not in peer["many"].split():
            return False
        return not peer.get("deflate_only") or (self.deflate and self.op == "send")

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
        own = group.replace(",", "").replace("(", "").replace(")", "").split() + [group, str(self.size)]
        return all(word.lower() in own for word in words)


def all_work(quick=False):
    for op in ("send", "recv"):
        yield from (Work(op, "binary", size) for size in (QUICK if quick else SMALL + LARGE))
        for text in ["json"] if quick else TEXTS:
            yield from (Work(op, "text", size, text=text) for size in (1 << 10, 64 << 10))
    yield Work("rtt", "binary", 16)
    if not quick:
        for op in ("send", "recv"):
            yield from (Work(op, "binary", size, tls=True) for size in (16 << 10, 1 << 20))
            # Longer than zlib's window: no message helps to compress the next, although they are the same.
            yield Work(op, "text", 64 << 10, deflate=True)
