package import HTTPTypes
import Synchronization
package import WebSocketClient
public import WebSocketProtocol

/// A small WebSocket server on this machine, for tests, benchmarks and trying things out.
///
/// Each connection has a thread. The path of the URL decides what the connection does:
///
/// - `/echo`, and every path not named here: returns each message.
/// - `/sink?count=N`: takes N messages, checks them if there is something to check them against, and
///   then sends a text that starts with "done", or with "failed".
/// - `/source?count=N&size=S&type=text`: waits for one message, then sends N messages of S bytes.
public final class LoopbackServer: Sendable {
    /// Serves a connection after its handshake.
    package typealias Script = @Sendable (ServerConnection) throws -> Void

    /// The answer to a handshake that isn't accepted, by its target and header fields; `nil` accepts it.
    package typealias Refusal = @Sendable (String, HTTPFields) -> HandshakeResponse?

    private let listener: Listener
    private let refusal: Refusal?
    private let script: Script
    private let compression: DeflateOptions?
    private let tls: TLSServer?
    private let isStopped = Atomic<Bool>(false)
    private let streams = Locked<[ObjectIdentifier: any ByteStream]>([:])

    /// Listens on 127.0.0.1 and serves until ``stop()``.
    ///
    /// - Parameters:
    ///   - port: The port; 0 for a free one.
    ///   - compression: permessage-deflate, for clients that offer it; `nil` for none.
    ///   - expected: The bytes that the messages to `/sink` must have, one after the other; repeated
    ///     when used up. Empty for no check.
    /// - Throws: An error with a description if the port can't be listened on.
    public convenience init(
        port: UInt16 = 0,
        compression: DeflateOptions? = nil,
        expected: [UInt8] = []
    ) throws {
        let scripts = StandardScripts(expected: expected)
        try self.init(port: port, compression: compression, script: scripts.run)
    }

    /// Runs the caller's script for each client; with `tls`, each connection begins with its handshake.
    package init(
        port: UInt16 = 0,
        compression: DeflateOptions? = nil,
        tls: TLSServer? = nil,
        refusal: Refusal? = nil,
        script: @escaping Script
    ) throws {
        listener = try Listener(port: port)
        self.compression = compression
        self.tls = tls
        self.refusal = refusal
        self.script = script
        try Threads.start { [self] in acceptConnections() }
    }

    /// The port it listens on.
    public var port: UInt16 { listener.port }

    /// The URL of a path on this server.
    ///
    /// - Parameter path: The path and query, such as `/echo`.
    /// - Returns: A `ws` URL.
    public func url(_ path: String = "/echo") -> String {
        "\(tls == nil ? "ws" : "wss")://127.0.0.1:\(port)\(path)"
    }

    /// Stops listening and cuts all connections.
    public func stop() {
        isStopped.store(true, ordering: .sequentiallyConsistent)
        listener.close()
        streams.withLock { $0.values.forEach { $0.abort() } }
    }

    private func acceptConnections() {
        while !isStopped.load(ordering: .sequentiallyConsistent) {
            // It throws only after `stop()`: it waits out a shortage of descriptors.
            guard let stream = try? listener.accept(until: .never) else { return }
            let key = ObjectIdentifier(stream)
            streams.withLock { $0[key] = stream }
            do {
                try Threads.start { [self] in
                    // A client that breaks off doesn't concern the server, which goes on with the next
                    // one.
                    try? serve(stream)
                    stream.finishWriting()
                    streams.withLock { $0[key] = nil }
                }
            } catch {
                // No thread can be started: turn this client away.
                streams.withLock { $0[key] = nil }
                stream.abort()
            }
        }
    }

    private func serve(_ stream: any ByteStream) throws {
        let stream: any ByteStream =
            try tls?.accept(over: stream, until: .after(.seconds(30))) ?? stream
        let connection = try ServerConnection(
            accepting: stream,
            compression: compression,
            refusal: refusal
        )
        try script(connection)
    }
}
