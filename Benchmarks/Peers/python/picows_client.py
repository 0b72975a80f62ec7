"""picows: callbacks with views of frames. Text is decoded, so that it is checked as elsewhere."""

import asyncio
import sys
import time

from common import Job, run
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect


class Client(WSListener):
    def __init__(self, job):
        self.job = job
        self.type = WSMsgType.TEXT if job.is_text else WSMsgType.BINARY
        self.payload = job.payload.encode() if job.is_text else job.payload
        self.done = asyncio.get_running_loop().create_future()
        self.writable = asyncio.Event()
        self.writable.set()
        self.received = 0

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    def on_ws_disconnected(self, transport: WSTransport):
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed the connection"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame):
        if frame.msg_type == WSMsgType.CLOSE:
            return
        if self.job.op == "send":
            self.done.set_result(frame.get_payload_as_utf8_text())
            return
        if self.job.op == "rtt":
            self.job.times.append(time.perf_counter() - self.began)
        message = (
            frame.get_payload_as_utf8_text()
            if self.job.is_text
            else frame.get_payload_as_memoryview()
        )
        self.received += 1
        if self.received == self.job.count:
            if self.job.op == "recv":
                self.job.check(bytes(message) if not self.job.is_text else message)
            self.done.set_result(None)
        elif self.job.op == "rtt":
            self.ping(transport)

    def ping(self, transport):
        self.began = time.perf_counter()
        transport.send(self.type, self.payload)


async def main():
    job = Job()
    if job.deflate:
        sys.exit("picows has no compression")
    transport, client = await ws_connect(
        lambda: Client(job), job.url, ssl_context=job.tls, max_frame_size=1 << 30
    )
    job.start()
    if job.op == "send":
        for _ in range(job.count):
            transport.send(client.type, client.payload)
            if not client.writable.is_set():
                await client.writable.wait()
        job.check_done(await client.done)
    elif job.op == "recv":
        transport.send(WSMsgType.TEXT, b"go")
        await client.done
    else:
        client.ping(transport)
        await client.done
    job.finish("picows")
    transport.send_close(WSCloseCode.OK)
    transport.disconnect()


run(main())
