"""The benchmarks' server, plain and with TLS, for as long as a block runs."""

import os
import subprocess
import sys


def pin(core):
    """What a child does first: stay on its core, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    return (lambda: os.sched_setaffinity(0, {cores[core]})) if len(cores) > 1 else None


def make_certificate(folder):
    certificate, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )
    return [certificate, key]


class Servers:
    """`plain` and `tls` are the URLs. `alone`: on a core of their own, which they don't give away."""

    def __init__(self, program, data, alone=False):
        self.program, self.environment = program, dict(os.environ, WSBENCH_DATA=str(data))
        self.pin = pin(1) if alone else None
        spin = ["--spin"] if self.pin else []
        self.processes = []
        self.plain = "ws://127.0.0.1:" + self.start(spin)
        self.tls = "wss://127.0.0.1:" + self.start(spin + ["--tls"] + make_certificate(data))
        self.setting = self.check(alone)

    def start(self, arguments):
        process = subprocess.Popen(
            [self.program] + arguments,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            preexec_fn=self.pin,
        )
        self.processes.append(process)
        return process.stdout.readline().strip()

    def check(self, alone):
        """Where the servers run, in words; fails where they were to be alone and aren't."""
        cores = sorted(os.sched_getaffinity(0))
        if not alone or len(cores) < 2:
            return f"client and server share {len(cores)} core{'s' * (len(cores) > 1)}"
        for process in self.processes:
            if os.sched_getaffinity(process.pid) != {cores[1]}:
                sys.exit(f"the server is not alone on core {cores[1]}")
        return f"client on core {cores[0]}, server spinning on core {cores[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
