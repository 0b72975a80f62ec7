"""The interop tests' server on websockets; README.md says what it does."""

import asyncio
import random
import sys
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve, unix_serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

LIMIT = 64 << 20
records = {}


def split(request):
    parts = urlsplit(request.path)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def record(key):
    return records.setdefault(key, asyncio.get_running_loop().create_future())


def process_request(connection, request):
    path, query = split(request)
    if path == "/refuse":
        return connection.respond(403, "not for you")
    if query.get("deflate") == "off":
        extensions = []
    else:
        bits = {
            name: int(query[name])
            for name in ("server_max_window_bits", "client_max_window_bits")
            if name in query
        }
        takeover = {
            name: True
            for name in ("server_no_context_takeover", "client_no_context_takeover")
            if name in query
        }
        extensions = [ServerPerMessageDeflateFactory(**bits, **takeover)]
    connection.protocol.available_extensions = extensions
    return None


def process_response(connection, request, response):
    if split(request)[0] == "/cookie":
        response.headers["Set-Cookie"] = "session=abc123; Path=/"
        response.headers["Set-Cookie"] = "narrow=1; Path=/narrow"


def select_subprotocol(connection, offered):
    wanted = split(connection.request)[1].get("protocol")
    if wanted is None:
        return offered[0] if offered else None
    return wanted if wanted in offered else None


def fragments(message):
    while message:
        count = random.randint(1, max(1, len(message)))
        yield message[:count]
        message = message[count:]


async def handle(connection):
    path, query = split(connection.request)
    if path in ("/headers", "/narrow"):
        lines = (f"{name}: {value}" for name, value in connection.request.headers.raw_items())
        await connection.send("\n".join(lines))
    elif path == "/close":
        await connection.send("closing")
        await connection.close(int(query["code"]), query.get("reason", ""))
        return
    elif path == "/cut":
        await connection.send("cutting")
        connection.transport.abort()
        return
    elif path == "/ping":
        payload = query["payload"]
        await (await connection.ping(payload))
        await connection.send(f"pong {payload}")
    elif path == "/invalid":
        await connection.send(b"caf\xe9", text=True)
    elif path == "/record":
        await connection.send(await record(query["key"]))
    try:
        async for message in connection:
            if "fragments" in query and len(message) > 1:
                await connection.send(fragments(message))
            else:
                await connection.send(message)
    except ConnectionClosed:
        pass
    if path == "/recorded":
        await connection.wait_closed()
        record(query["key"]).set_result(f"{connection.close_code} {connection.close_reason}")


async def main():
    options = {
        "process_request": process_request,
        "process_response": process_response,
        "select_subprotocol": select_subprotocol,
        "compression": None,
        "max_size": LIMIT,
        "ping_interval": None,
        "close_timeout": 5,
    }
    async with (
        unix_serve(handle, sys.argv[2], **options),
        serve(handle, "127.0.0.1", int(sys.argv[1]), **options) as server,
    ):
        await server.serve_forever()


asyncio.run(main())
