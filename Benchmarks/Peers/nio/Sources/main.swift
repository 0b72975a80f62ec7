// swift-nio's WebSocket client: in a pipeline, many messages a flush, or through its asynchronous channel.

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// What both ways connect with.
func makeBootstrap(for job: Job) -> ClientBootstrap {
    ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .channelOption(.socketOption(.tcp_nodelay), value: 1)
}

extension Job {
    var request: HTTPRequestHead {
        let headers = HTTPHeaders([("Host", "\(host):\(port)"), ("Content-Length", "0")])
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: target, headers: headers)
    }

    /// Puts TLS below what is added later, if the URL asks for it.
    func addTLS(to channel: any Channel) throws {
        guard usesTLS else { return }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        let context = try NIOSSLContext(configuration: configuration)
        try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: nil)
        )
    }
}

func fail(_ reason: String) -> Never {
    FileHandle.standardError.write(Data("nio: \(reason)\n".utf8))
    exit(1)
}

guard let job = Job(arguments: CommandLine.arguments) else {
    print("nio ws://HOST:PORT/… send|recv|rtt binary|text SIZE COUNT")
    exit(2)
}
if job.isAsync {
    try await runAsynchronously(job)
} else {
    try await runInPipeline(job)
}
