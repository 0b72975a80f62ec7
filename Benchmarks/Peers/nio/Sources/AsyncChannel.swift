import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

private typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

/// Connects, and does the job with a loop over the channel's frames.
func runAsynchronously(_ job: Job) async throws {
    let upgraded: EventLoopFuture<Frames?> = try await makeBootstrap(for: job)
        .connect(host: job.host, port: job.port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try job.addTLS(to: channel)
                let upgrader = NIOTypedWebSocketClientUpgrader<Frames?>(
                    maxFrameSize: 1 << 28,
                    upgradePipelineHandler: { channel, _ in
                        channel.eventLoop.makeCompletedFuture {
                            try Frames(wrappingChannelSynchronously: channel)
                        }
                    }
                )
                return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                    configuration: NIOUpgradableHTTPClientPipelineConfiguration(
                        upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
                            upgradeRequestHead: job.request,
                            upgraders: [upgrader],
                            notUpgradingCompletionHandler: { channel in
                                channel.eventLoop.makeSucceededFuture(nil)
                            }
                        )
                    )
                )
            }
        }
    guard let frames = try await upgraded.get() else { fail("no upgrade") }
    try await frames.executeThenClose { inbound, outbound in
        try await AsyncJob(job: job, outbound: outbound).run(inbound)
    }
}

private struct AsyncJob {
    let job: Job
    let payload: ByteBuffer
    let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    init(job: Job, outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) {
        self.job = job
        self.outbound = outbound
        payload = ByteBuffer(bytes: job.payload)
    }

    func run(_ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>) async throws {
        var messages = inbound.makeAsyncIterator()
        var stopwatch = Stopwatch()
        switch job.operation {
        case .send:
            try await sendAll()
            let answer = String(buffer: try await next(from: &messages).data)
            guard answer.hasPrefix("done") else { fail("the server says \(answer)") }
        case .recv:
            try await outbound.write(frame(.text, ByteBuffer(string: "go")))
            for _ in 0..<job.count { check(try await next(from: &messages)) }
        case .rtt:
            for _ in 0..<job.count {
                let sent = ContinuousClock.now
                try await outbound.write(frame(kind, payload))
                check(try await next(from: &messages))
                stopwatch.add(roundTripSince: sent)
            }
        }
        stopwatch.printLine(for: job)
    }

    /// As many messages a flush as in the pipeline.
    private func sendAll() async throws {
        let portion = max(1, 65_536 / (job.size + 1))
        var remaining = job.count
        while remaining > 0 {
            let count = min(remaining, portion)
            try await outbound.write(contentsOf: (0..<count).lazy.map { _ in frame(kind, payload) })
            remaining -= count
        }
    }

    private func next(
        from messages: inout NIOAsyncChannelInboundStream<WebSocketFrame>.AsyncIterator
    ) async throws -> WebSocketFrame {
        while let frame = try await messages.next() {
            if frame.opcode == .text || frame.opcode == .binary { return frame }
        }
        fail("the connection ended early")
    }

    private func check(_ message: WebSocketFrame) {
        guard message.data.readableBytes == job.size else { fail("received another size") }
        guard message.opcode == .text else { return }
        var data = message.data
        if (try? data.readUTF8ValidatedString(length: data.readableBytes)) == nil {
            fail("received invalid text")
        }
    }

    private var kind: WebSocketOpcode { job.isText ? .text : .binary }

    private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }
}
