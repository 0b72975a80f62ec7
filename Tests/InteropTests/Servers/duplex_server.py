"""Sends and receives at once over TLS, and stalls at random; README.md says how."""

import asyncio
import random
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve

SIZES = [24, 125, 126, 1_000, 16_000, 65_536, 100_000, 400_000, 2_000_000]
PERIOD = 127
PATTERN = bytes(range(PERIOD)) * (2 * max(SIZES) // PERIOD)


def make(sender, number, size):
    header = f"{sender} {number} {size} ".encode()
    start = (sender * 31 + number * 7) % PERIOD
    return header + PATTERN[start : start + size - len(header)]


def is_right(message, numbers):
    """Whether a message is as its header says, and the next one of its sender."""
    try:
        sender, number, size = (int(field) for field in message[:24].split(b" ", 3)[:3])
    except ValueError:
        return False
    expected = numbers.get(sender, 0)
    numbers[sender] = expected + 1
    return number == expected and size == len(message) and make(sender, number, size) == message


async def stall():
    draw = random.random()
    if draw < 0.01:
        await asyncio.sleep(0.3)
    elif draw < 0.1:
        await asyncio.sleep(0.03 * random.random())


async def send(connection, count):
    sent = number = 0
    while sent < count:
        message = make(0, number, random.choice(SIZES))
        await connection.send(message)
        await stall()
        sent += len(message)
        number += 1
    return number


async def receive(connection):
    numbers, received, faults = {}, 0, 0
    async for message in connection:
        if isinstance(message, str):
            if message == "finish":
                break
            message = message.encode()
        faults += not is_right(message, numbers)
        received += len(message)
        await stall()
    return f"{received} bytes, {sum(numbers.values())} messages, {faults} faults"


async def handle(connection):
    query = parse_qs(urlsplit(connection.request.path).query)
    sending = asyncio.create_task(send(connection, int(query["bytes"][0])))
    report = await receive(connection)
    await connection.send(f"sent {await sending} messages, received {report}")
    await connection.wait_closed()


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    options = {"ssl": context, "compression": None, "max_size": None, "ping_interval": None}
    async with serve(handle, "127.0.0.1", int(sys.argv[1]), **options) as server:
        await server.serve_forever()


asyncio.run(main())
