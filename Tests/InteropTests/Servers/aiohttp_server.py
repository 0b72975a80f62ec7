"""The interop tests' server on aiohttp; README.md says what it does."""

import asyncio
import sys

from aiohttp import WSMsgType, web

LIMIT = 64 << 20
records = {}


def record(key):
    return records.setdefault(key, asyncio.get_running_loop().create_future())


async def refuse(request):
    return web.Response(status=403, text="not for you")


async def refuse_chunked(request):
    response = web.StreamResponse(status=503, headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    for part in ("come ", "back ", "later"):
        await response.write(part.encode())
        await asyncio.sleep(0.02)
    await response.write_eof()
    return response


async def refuse_large(request):
    return web.Response(status=500, body=b"x" * (8 << 20))


async def redirect(request):
    status = int(request.query.get("status", "302"))
    return web.Response(status=status, headers={"Location": request.query["to"]})


async def loop(request):
    return web.Response(status=302, headers={"Location": "/loop"})


async def pong_of(socket, payload):
    """Pings and waits for the pong, which a socket with autoping would keep to itself."""
    await socket.ping(payload.encode())
    while True:
        message = await socket.receive()
        if message.type == WSMsgType.PONG:
            return message.data.decode()


def subprotocols(request):
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    first = offered.split(",")[0].strip()
    wanted = request.query.get("protocol", first)
    return [wanted] if wanted else []


async def websocket(request):
    path, query = request.path, request.query
    socket = web.WebSocketResponse(
        protocols=subprotocols(request),
        compress=query.get("deflate") != "off",
        autoping=False,
        max_msg_size=LIMIT,
    )
    if path == "/cookie":
        socket.headers.add("Set-Cookie", "session=abc123; Path=/")
        socket.headers.add("Set-Cookie", "narrow=1; Path=/narrow")
    await socket.prepare(request)
    if path in ("/headers", "/narrow"):
        lines = (f"{name.decode()}: {value.decode()}" for name, value in request.raw_headers)
        await socket.send_str("\n".join(lines))
    elif path == "/close":
        await socket.send_str("closing")
        await socket.close(
            code=int(query["code"]), message=query.get("reason", "").encode()
        )
        return socket
    elif path == "/cut":
        await socket.send_str("cutting")
        request.transport.abort()
        return socket
    elif path == "/ping":
        payload = query["payload"]
        await socket.send_str(f"pong {await pong_of(socket, payload)}")
    elif path == "/record":
        await socket.send_str(await record(query["key"]))
    end = ""
    while True:
        message = await socket.receive()
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
        elif message.type == WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type == WSMsgType.CLOSE:
            end = message.extra
            break
        elif message.type != WSMsgType.PONG:
            break
    if path == "/recorded":
        record(query["key"]).set_result(f"{socket.close_code} {end}")
    return socket


application = web.Application()
application.add_routes(
    [
        web.get("/refuse", refuse),
        web.get("/refuse-chunked", refuse_chunked),
        web.get("/refuse-large", refuse_large),
        web.get("/redirect", redirect),
        web.get("/loop", loop),
        web.get("/{path:.*}", websocket),
    ]
)
web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), print=None)
