"""websocket-client; without its C accelerator when WITHOUT_WSACCEL is set."""

import os
import sys
import time

peer = "websocket-client + wsaccel"
if os.environ.get("WITHOUT_WSACCEL"):
    sys.modules["wsaccel"] = None
    peer = "websocket-client"

import websocket
from common import Job

job = Job()
if job.deflate:
    sys.exit("websocket-client has no compression")
socket = websocket.create_connection(
    job.url,
    sslopt={"cert_reqs": 0, "check_hostname": False},
    sockopt=((6, 1, 1),),
)
send = socket.send if job.is_text else socket.send_binary

job.start()
if job.op == "send":
    for _ in range(job.count):
        send(job.payload)
    job.check_done(socket.recv())
elif job.op == "recv":
    socket.send("go")
    for _ in range(job.count):
        message = socket.recv()
    job.check(message)
else:
    for _ in range(job.count):
        began = time.perf_counter()
        send(job.payload)
        socket.recv()
        job.times.append(time.perf_counter() - began)
job.finish(peer)
socket.close()
