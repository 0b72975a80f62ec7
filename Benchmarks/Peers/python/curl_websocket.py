"""curl_cffi: libcurl's WebSocket calls."""

import sys
import time

from common import Job
from curl_cffi import CurlWsFlag
from curl_cffi.requests import WebSocket

job = Job()
if job.deflate:
    sys.exit("libcurl has no compression")
socket = WebSocket(max_message_size=1 << 30)
socket.connect(job.url, verify=False)
flags = CurlWsFlag.TEXT if job.is_text else CurlWsFlag.BINARY
payload = job.payload.encode() if job.is_text else job.payload
receive = socket.recv_str if job.is_text else lambda: socket.recv()[0]

job.start()
if job.op == "send":
    for _ in range(job.count):
        socket.send(payload, flags)
    job.check_done(socket.recv_str())
elif job.op == "recv":
    socket.send(b"go", CurlWsFlag.TEXT)
    for _ in range(job.count):
        message = receive()
    job.check(message)
else:
    for _ in range(job.count):
        began = time.perf_counter()
        socket.send(payload, flags)
        receive()
        job.times.append(time.perf_counter() - began)
job.finish("curl_cffi")
socket.close()
