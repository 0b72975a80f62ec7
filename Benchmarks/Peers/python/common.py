"""What all Python peers share: arguments, payload, clock, and the line of JSON.

Every peer is called as PEER URL send|recv|rtt binary|text SIZE COUNT.
"""

import json
import os
import resource
import ssl
import sys
import time


def run(main):
    """Runs a coroutine on uvloop, which the documentation of asyncio's clients calls fast."""
    import uvloop

    uvloop.run(main)


class Job:
    def __init__(self):
        self.url, self.op, self.type, size, count = sys.argv[1:6]
        self.size, self.count = int(size), int(count)
        self.is_text = self.type == "text"
        self.deflate = "deflate=1" in self.url
        self.tls = None
        if self.url.startswith("wss:"):
            self.tls = ssl.create_default_context()
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE
        payload = self._payload()
        self.payload = payload.decode() if self.is_text else payload

    def _payload(self):
        folder = os.environ.get("WSBENCH_DATA")
        if folder:
            with open(f"{folder}/{self.type}-{self.size}", "rb") as file:
                return file.read(self.size)
        if self.is_text:
            return bytes(97 + i % 26 for i in range(self.size))
        return bytes(i % 251 for i in range(self.size))

    def start(self):
        self.times = []
        self.before = resource.getrusage(resource.RUSAGE_SELF)
        self.began = time.perf_counter()

    def finish(self, peer):
        seconds = time.perf_counter() - self.began
        after = resource.getrusage(resource.RUSAGE_SELF)
        line = {
            "peer": peer,
            "op": self.op,
            "type": self.type,
            "size": self.size,
            "count": self.count,
            "seconds": round(seconds, 6),
            "user_cpu": round(after.ru_utime - self.before.ru_utime, 6),
            "sys_cpu": round(after.ru_stime - self.before.ru_stime, 6),
        }
        if self.op == "rtt":
            times = sorted(self.times)
            line["p50_us"] = round(times[len(times) // 2] * 1e6, 2)
            line["p99_us"] = round(times[len(times) * 99 // 100] * 1e6, 2)
        print(json.dumps(line), flush=True)

    def check(self, message):
        """Ends the program if a received message is not of the announced kind."""
        if isinstance(message, str):
            right = self.is_text and (len(message) == self.size or len(message.encode()) == self.size)
        else:
            right = not self.is_text and len(message) == self.size
        if not right:
            sys.exit(f"received something else: {message[:40]!r}")

    def check_done(self, message):
        if not isinstance(message, str) or not message.startswith("done"):
            sys.exit(f"the server says {message[:80]!r}")
