"""Notes the number that each message begins with, by connection; tells them at /report."""

import asyncio
import json
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

records = {}


async def handle(connection):
    path = connection.request.path
    if path.startswith("/report/"):
        await connection.send(json.dumps(records.pop(path.removeprefix("/report"), [])))
        return
    numbers = []
    records.setdefault(path, []).append(numbers)
    try:
        async for message in connection:
            numbers.append(int(message[:8]))
    except ConnectionClosed:
        pass


async def main(port, certificate=None, key=None):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    # The queue is as long as it takes: what has been acknowledged with a pong has to come out of it.
    async with serve(handle, "127.0.0.1", int(port), ssl=context, max_size=None, max_queue=None):
        await asyncio.get_running_loop().create_future()


asyncio.run(main(*sys.argv[1:]))
