import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// Asks for the upgrade.
final class RequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let job: Job

    init(job: Job) { self.job = job }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(job.request)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

/// Connects, and lets a `JobHandler` do the job.
func runInPipeline(_ job: Job) async throws {
    let channel = try await makeBootstrap(for: job)
        .channelInitializer { channel in
            let upgrader = NIOWebSocketClientUpgrader(maxFrameSize: 1 << 28) { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(JobHandler(job: job))
                }
            }
            return channel.eventLoop.makeCompletedFuture {
                try job.addTLS(to: channel)
                try channel.pipeline.syncOperations.addHTTPClientHandlers(
                    withClientUpgrade: (
                        upgraders: [upgrader],
                        completionHandler: { context in
                            context.pipeline.removeHandler(name: "request", promise: nil)
                        }
                    )
                )
                try channel.pipeline.syncOperations.addHandler(
                    RequestHandler(job: job),
                    name: "request"
                )
            }
        }
        .connect(host: job.host, port: job.port).get()
    try await channel.closeFuture.get()
}
