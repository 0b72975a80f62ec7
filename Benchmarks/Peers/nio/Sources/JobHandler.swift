import Foundation
import NIOCore
import NIOWebSocket

/// Does the job once the connection is upgraded, then closes the channel.
final class JobHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let job: Job
    private let payload: ByteBuffer
    private var remaining: Int
    private var stopwatch = Stopwatch()
    private var sent = ContinuousClock.now

    init(job: Job) {
        self.job = job
        self.payload = ByteBuffer(bytes: job.payload)
        self.remaining = job.count
    }

    func handlerAdded(context: ChannelHandlerContext) {
        stopwatch = Stopwatch()
        switch job.operation {
        case .send:
            sendWhileWritable(context)
        case .recv:
            context.writeAndFlush(frame(.text, ByteBuffer(string: "go")), promise: nil)
        case .rtt:
            ping(context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if job.operation == .send { sendWhileWritable(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let message = unwrapInboundIn(data)
        guard message.opcode == .text || message.opcode == .binary else { return }
        if job.operation == .send {
            guard String(buffer: message.data).hasPrefix("done") else {
                fail("the server says \(String(buffer: message.data))")
            }
            return finish(context)
        }
        guard message.data.readableBytes == job.size else { fail("received another size") }
        if message.opcode == .text { checkText(message.data) }
        remaining -= 1
        if job.operation == .rtt {
            stopwatch.add(roundTripSince: sent)
        }
        if remaining == 0 {
            finish(context)
        } else if job.operation == .rtt {
            ping(context)
        }
    }

    private func sendWhileWritable(_ context: ChannelHandlerContext) {
        while remaining > 0, context.channel.isWritable {
            // Under the high-water mark, many small messages share one flush.
            for _ in 0..<min(remaining, max(1, 65_536 / (job.size + 1))) {
                context.write(frame(job.isText ? .text : .binary, payload), promise: nil)
                remaining -= 1
            }
            context.flush()
        }
    }

    private func ping(_ context: ChannelHandlerContext) {
        sent = ContinuousClock.now
        context.writeAndFlush(frame(job.isText ? .text : .binary, payload), promise: nil)
    }

    private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> NIOAny {
        wrapOutboundOut(
            WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
        )
    }

    private func checkText(_ data: ByteBuffer) {
        var data = data
        if (try? data.readUTF8ValidatedString(length: data.readableBytes)) == nil {
            fail("received invalid text")
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        stopwatch.printLine(for: job)
        context.close(promise: nil)
    }
}
