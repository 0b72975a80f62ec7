"""A market feed: numbered messages from where the client asks, and a connection that never lasts.

    feed_server.py PORT FOLDER

After "from N" it sends N, N + 1, … up to the number in FOLDER/end. After 300 messages of a connection it
breaks off, now with a close frame and now without; every 50th message it leaves one out, once.
"""

import asyncio
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

connections = 0
left_out = set()


def end():
    with open(sys.argv[2] + "/end", encoding="utf-8") as file:
        return int(file.read())


async def feed(connection):
    global connections
    connections += 1
    is_cut = connections % 2 == 0
    following = None
    sent = 0
    while True:
        try:
            async with asyncio.timeout(0.01 if following else None):
                request = await connection.recv()
            following = int(request.removeprefix("from "))
        except TimeoutError:
            pass
        except ConnectionClosed:
            return
        for _ in range(10):
            if following > end():
                break
            if following % 50 == 0 and following not in left_out:
                left_out.add(following)
                following += 1
            await connection.send(f"{following} ABC {100 + following % 7}.5")
            following += 1
            sent += 1
            if sent == 300:
                if is_cut:
                    connection.transport.abort()
                else:
                    await connection.close(1012)
                return


async def main():
    async with serve(feed, "127.0.0.1", int(sys.argv[1])):
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
