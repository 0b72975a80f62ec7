"""websockets, its asyncio client."""

import time

from common import Job, run
from websockets.asyncio.client import connect


async def main():
    job = Job()
    async with connect(
        job.url,
        ssl=job.tls,
        compression="deflate" if job.deflate else None,
        max_size=None,
        ping_interval=None,
    ) as socket:
        job.start()
        if job.op == "send":
            for _ in range(job.count):
                await socket.send(job.payload)
            job.check_done(await socket.recv())
        elif job.op == "recv":
            await socket.send("go")
            for _ in range(job.count):
                message = await socket.recv()
            job.check(message)
        else:
            for _ in range(job.count):
                began = time.perf_counter()
                await socket.send(job.payload)
                await socket.recv()
                job.times.append(time.perf_counter() - began)
        job.finish("websockets, asyncio")


run(main())
