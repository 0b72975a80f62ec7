"""websockets, its threaded client."""

import time

from common import Job
from websockets.sync.client import connect

job = Job()
with connect(
    job.url,
    ssl=job.tls,
    compression="deflate" if job.deflate else None,
    max_size=None,
    ping_interval=None,
) as socket:
    job.start()
    if job.op == "send":
        for _ in range(job.count):
            socket.send(job.payload)
        job.check_done(socket.recv())
    elif job.op == "recv":
        socket.send("go")
        for _ in range(job.count):
            message = socket.recv()
        job.check(message)
    else:
        for _ in range(job.count):
            began = time.perf_counter()
            socket.send(job.payload)
            socket.recv()
            job.times.append(time.perf_counter() - began)
    job.finish("websockets, sync")
