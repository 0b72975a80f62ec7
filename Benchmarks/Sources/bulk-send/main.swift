import Foundation
import LoopbackServer
import WebSocketAccel
import WebSocketClient

// bulk-send TYPE FILE MESSAGE-SIZE BYTES
//
// Sends at least BYTES of a text or binary file, again and again from its start, as messages of
// about MESSAGE-SIZE to a server in this process that compares every byte with the file. Prints a
// line of JSON.

let arguments = CommandLine.arguments
guard arguments.count == 5, let size = Int(arguments[3]), let bytes = Int(arguments[4]),
    let data = FileManager.default.contents(atPath: arguments[2]), !data.isEmpty, size > 3
else {
    print("usage: bulk-send <text|binary> <file> <message size> <bytes>")
    exit(2)
}
let file = [UInt8](data)
let isText = arguments[1] == "text"
let messages = splitIntoMessages(file, size: size, isText: isText)
let passes = (bytes + file.count - 1) / file.count

let server = try LoopbackServer(expected: file)
var options = ConnectOptions()
options.proxy = .none
let socket = try WebSocket.connect(
    to: server.url("/sink?count=\(messages.count * passes)"),
    options: options
)

let start = ContinuousClock.now
for _ in 0..<passes {
    try socket.withBatch { batch in
        let span = file.span.bytes
        for range in messages {
            if isText {
                try batch.send(text: span.extracting(range))
            } else {
                try batch.send(binary: span.extracting(range))
            }
        }
    }
}
guard case .text(let verdict) = try socket.receive(), verdict.hasPrefix("done") else {
    print("bulk-send: the server did not receive what was sent")
    exit(1)
}
let seconds = (ContinuousClock.now - start) / .seconds(1)
try socket.close()
server.stop()
print(
    """
    {"type":"\(arguments[1])","size":\(size),"kernels":"\(Accel.backend)",\
    "bytes":\(passes * file.count),"messages":\(messages.count * passes),"seconds":\(seconds)}
    """
)

/// Cuts a file into messages of at most `size` bytes; a text message ends with a whole code point.
func splitIntoMessages(_ file: [UInt8], size: Int, isText: Bool) -> [Range<Int>] {
    var messages: [Range<Int>] = []
    var start = 0
    while start < file.count {
        var end = min(start + size, file.count)
        while isText, end < file.count, file[end] & 0xC0 == 0x80 { end -= 1 }
        messages.append(start..<end)
        start = end
    }
    return messages
}
