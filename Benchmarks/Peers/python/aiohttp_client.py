"""aiohttp's WebSocket client."""

import time

import aiohttp
from common import Job, run


async def main():
    job = Job()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            job.url,
            ssl=job.tls if job.tls else True,
            compress=15 if job.deflate else 0,
            max_msg_size=0,
        ) as socket,
    ):
        send = socket.send_str if job.is_text else socket.send_bytes
        job.start()
        if job.op == "send":
            for _ in range(job.count):
                await send(job.payload)
            job.check_done((await socket.receive()).data)
        elif job.op == "recv":
            await socket.send_str("go")
            for _ in range(job.count):
                message = await socket.receive()
            job.check(message.data)
        else:
            for _ in range(job.count):
                began = time.perf_counter()
                await send(job.payload)
                await socket.receive()
                job.times.append(time.perf_counter() - began)
        job.finish("aiohttp")


run(main())
