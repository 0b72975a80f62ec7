public import HTTPTypes
import LoopbackServer
public import WebSocketClient
public import WebSocketProtocol

/// A WebSocket server on this machine, for testing clients.
///
/// It follows a script, right or wrong, over a real socket, with a thread for each connection:
///
/// ```swift
/// let server = try TestServer { connection in
///     guard try connection.receive() == .text("subscribe") else { return connection.cut() }
///     try connection.send("price 1")
///     try connection.close(.goingAway)
/// }
/// defer { server.stop() }
///
/// let socket = try WebSocket.connect(to: server.url("/feed"), options: server.options)
/// try socket.send("subscribe")
/// print(try socket.receive())
/// ```
///
/// It is for tests only: it has no limits, and serves every program on this machine.
public final class TestServer: Sendable {
    /// Serves a connection after its handshake, on a thread of its own. When it returns or throws, the
    /// connection ends, without a close frame unless one has been sent.
    public typealias Script = @Sendable (TestConnection) throws -> Void

    /// Decides whether a client is let in, before its handshake is answered; called on the connection's thread.
    public typealias Door = @Sendable (TestRequest) -> TestAnswer

    private let server: LoopbackServer
    private let certificate: ThrowAwayCertificate?

    /// Sends back every message; the default script.
    public static let echo: Script = { connection in
        while true { try connection.send(try connection.receive()) }
    }

    /// Listens on 127.0.0.1, and serves until ``stop()``.
    ///
    /// - Parameters:
    ///   - port: The port; zero for a free one.
    ///   - isSecure: Whether to serve wss, with a new certificate for `127.0.0.1` and `localhost` that
    ///     ``options`` trust. Default: no.
    ///   - compression: permessage-deflate (RFC 7692) for clients that offer it; `nil` for none.
    ///   - script: Serves each connection. Default: ``echo``.
    ///   - door: Decides who is let in. Default: everybody.
    /// - Throws: An error with a description if the port is taken, or no certificate could be made.
    public init(
        port: UInt16 = 0,
        isSecure: Bool = false,
        compression: DeflateOptions? = nil,
        script: @escaping Script = TestServer.echo,
        door: @escaping Door = { _ in .accept }
    ) throws {
        let certificate = isSecure ? try ThrowAwayCertificate() : nil
        self.certificate = certificate
        server = try LoopbackServer(
            port: port,
            compression: compression,
            tls: try certificate.map { certificate in
                try TLSServer(
                    certificateFile: certificate.certificateFile,
                    keyFile: certificate.keyFile
                )
            },
            refusal: { target, headers in
                switch door(TestRequest(target: target, headers: headers)) {
                case .accept: nil
                case .refuse(let response): response
                }
            },
            script: { connection in
                do {
                    try script(TestConnection(connection))
                } catch {
                    // The test sees the result at the client's end.
                }
                try? connection.flush()
            }
        )
    }

    /// The port it listens on.
    public var port: UInt16 { server.port }

    /// The URL of a path on this server.
    ///
    /// - Parameter path: The path and query, such as `/feed?depth=5`; it begins with a slash.
    /// - Returns: A `ws` URL, or `wss` if the server is secure.
    public func url(_ path: String = "/") -> String { server.url(path) }

    /// Options to connect with: they trust the server's certificate, use no proxy and no shared cookies, and
    /// limit each wait to 30 s, so that a test that goes wrong ends.
    public var options: ConnectOptions {
        var options = ConnectOptions(timeout: .seconds(30))
        options.proxy = .none
        options.cookieJar = nil
        options.tls.certificateAuthorityFile = certificate?.certificateFile
        return options
    }

    /// Stops listening and cuts all connections; the scripts' calls throw ``TestConnection/Ended``.
    ///
    /// It doesn't wait for the scripts to return.
    public func stop() { server.stop() }
}

/// A client's opening handshake (RFC 6455 §4.1).
public struct TestRequest: Sendable, Hashable {
    /// The path and query.
    public var target: String
    /// The header fields.
    public var headers: HTTPFields

    /// Makes a request from its parts.
    public init(target: String, headers: HTTPFields) {
        self.target = target
        self.headers = headers
    }
}

/// A server's answer to an opening handshake.
public enum TestAnswer: Sendable, Hashable {
    /// The connection is opened (RFC 6455 §4.2.2).
    case accept
    /// Any other response: a refusal, or a redirect.
    case refuse(HandshakeResponse)

    /// A refusal with a status, such as 503.
    ///
    /// - Parameters:
    ///   - status: The status.
    ///   - headers: Further header fields, such as `Retry-After`.
    ///   - body: The text of the body.
    /// - Returns: The answer.
    public static func refuse(
        status: Int,
        headers: HTTPFields = [:],
        body: String = ""
    ) -> TestAnswer {
        var fields = headers
        fields[.connection] = "close"
        fields[.contentLength] = "\(body.utf8.count)"
        return .refuse(
            HandshakeResponse(statusCode: status, headers: fields, body: Array(body.utf8))
        )
    }

    /// A redirect to another URL (RFC 6455 §4.1).
    ///
    /// - Parameter url: The URL, `ws`, `wss`, `http` or `https`.
    /// - Returns: The answer.
    public static func redirect(to url: String) -> TestAnswer {
        refuse(status: 307, headers: [.location: url])
    }
}
