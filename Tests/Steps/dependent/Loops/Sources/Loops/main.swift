// Runs some of the loops, to notice a program that compiles and then crashes.

import Foundation
import LoopbackServer
import WebSocketAccel
import WebSocketClient

print(Accel.backend)

let server = try LoopbackServer()
let socket = try connectInTheEnd(server.url(), attempts: 3)
socket.timeout = .milliseconds(20)
Thread.detachNewThread {
    // Long enough for some time-outs.
    Thread.sleep(forTimeInterval: 0.1)
    try? sendAll(["one", "two"], over: socket)
}
var feed = Feed(socket: socket)
print(try feed.next() == .text("one"), try receiveInTheEnd(socket) == .text("two"))
socket.timeout = .seconds(60)
closeInTheEnd(socket)

server.stop()
do {
    _ = try Reconnecting(url: server.url()).receive()
} catch WebSocketError.connectFailed {
    print("nothing listens")
}
