import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite(
    "The opening handshake with unusual servers",
    .blocking
)
struct OpeningHandshakeTests {
    /// A server that answers the first request with `reply` and keeps the connection open.
    private final class Peer: Sendable {
        let port: UInt16
        private let listener: Listener
        private let playing: Background<String>

        init(_ reply: String) throws {
            let listener = try Listener()
            self.listener = listener
            port = listener.port
            playing = Background {
                let stream = try listener.accept(until: .after(.seconds(60)))
                var request = ""
                while !request.utf8.reversed().starts(with: "\n\r\n\r".utf8) {
                    guard let bytes = try stream.readSome() else { return request }
                    request += String(decoding: bytes, as: UTF8.self)
                }
                try stream.writeAll(Array(reply.utf8))
                while try stream.readSome() != nil {}
                return request
            }
        }

        /// The lines of the request, once the client has gone.
        func request() throws -> [String] {
            try playing.join().split(separator: "\r\n").map(String.init)
        }
    }

    private func options(_ change: (inout ConnectOptions) -> Void = { _ in }) -> ConnectOptions {
        var options = ConnectOptions(timeout: .seconds(60))
        options.proxy = .none
        options.cookieJar = nil
        change(&options)
        return options
    }

    private func refusal(
        of peer: Peer,
        _ options: ConnectOptions
    ) throws -> (error: WebSocketError, took: Duration) {
        let start = ContinuousClock.now
        let error = #expect(throws: WebSocketError.self) {
            try WebSocket.connect(to: "ws://127.0.0.1:\(peer.port)/", options: options)
        }
        return (try #require(error), start.duration(to: .now))
    }

    @Test("A refusal without a length on a kept connection is reported soon, with its body")
    func refusalWithoutLength() throws {
        let peer = try Peer("HTTP/1.1 403 Forbidden\r\n\r\nno entry\u{1B}[2J today\n")
        let (error, took) = try refusal(of: peer, options())
        #expect(took < .seconds(30))
        guard case .badStatus(let response) = error else { throw error }
        #expect(response.statusCode == 403 && response.body.starts(with: "no entry".utf8))
        let words = #"The server answered with status 403 Forbidden: "no entry\u{1B}[2J today\n"…"#
        #expect("\(error)" == words)
        _ = try peer.request()
    }

    @Test(
        "An excerpt of the body is shown if it is text, cut at a character",
        arguments: [
            ("text/plain", "busy", #": "busy""#), ("application/json", "{}", #": "{}""#),
            ("TEXT/HTML; charset=utf-8", "<p>", #": "<p>""#), ("image/png", "busy", "."),
            ("text/plain", "", "."), ("text/plain", " \n", "."),
            ("text/plain", "\u{202E}a", #": "\u{202E}a""#),
            (
                "text/plain", String(repeating: "x", count: 199) + "\u{E9}y",
                ": \"" + String(repeating: "x", count: 199) + "\"…"
            ),
        ]
    )
    func excerpt(type: String, body: String, shown: String) {
        let response = HandshakeResponse(
            statusCode: 500,
            reasonPhrase: "Oops",
            headers: ["Content-Type": type],
            body: Array(body.utf8)
        )
        #expect(
            "\(WebSocketError.badStatus(response))" == "The server answered with status 500 Oops"
                + shown
        )
    }

    @Test(
        "A redirect's body isn't waited for; another origin gets only harmless or listed fields"
    )
    func redirect() throws {
        let second = try Peer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        let first = try Peer(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:\(second.port)/x\r\n\r\nmoved"
        )
        let options = options {
            $0.headers = [
                "X-Auth": "s3cret", "X-JWT": "s3cret", "Ocp-Apim-Subscription-Key": "s3cret",
                "Authorization": "s3cret", "User-Agent": "tests", "X-Trace": "1", "X-Other": "2",
            ]
            $0.headersForOtherOrigins = ["x-trace"]
            $0.cookie = "s3cret=1"
            $0.host = .custom("s3cret.example")
            $0.subprotocols = ["bearer", "s3cret"]
        }
        let (error, took) = try refusal(of: first, options)
        #expect(took < .seconds(30))
        guard case .badStatus(let response) = error, response.statusCode == 404 else { throw error }
        #expect(try first.request().count { $0.contains("s3cret") } == 7)
        let request = try second.request()
        #expect(request.first == "GET /x HTTP/1.1")
        #expect(!request.contains { $0.contains("s3cret") || $0.contains("X-Other") })
        #expect(request.contains("User-Agent: tests") && request.contains("X-Trace: 1"))
        #expect(request.contains("Host: 127.0.0.1:\(second.port)"))
    }

    @Test("The limits of the answer can be raised")
    func limits() throws {
        let policy = String(repeating: "p", count: 17_000)
        let reply =
            "HTTP/1.1 403 Forbidden\r\nContent-Security-Policy: \(policy)\r\nContent-Length: 0\r\n\r\n"
        let (refused, _) = try refusal(of: try Peer(reply), options())
        guard case .handshakeFailed(.malformedResponse(.lineTooLong(maximum: 16384))) = refused
        else { throw refused }
        let (read, _) = try refusal(
            of: try Peer(reply),
            options { $0.limits.maximumHeaderLineBytes = .max }
        )
        guard case .badStatus(let response) = read else { throw read }
        #expect(response.headers["Content-Security-Policy"] == policy)
    }

    @Test("Limits of any size neither trap nor let anything through", arguments: [Int.min, -1, 0])
    func degenerateLimits(limit: Int) throws {
        let (error, _) = try refusal(
            of: try Peer("HTTP/1.1 403 Forbidden\r\nA: b\r\n\r\n"),
            options {
                $0.limits.maximumHandshakeBytes = limit
                $0.limits.maximumHeaderLineBytes = limit
                $0.limits.maximumHeaders = limit
                $0.limits.maximumRefusalBytes = limit
            }
        )
        guard case .handshakeFailed(.malformedResponse) = error else { throw error }
    }

    @Test("Neither print nor dump shows credentials in the options")
    func options() {
        let options = options {
            $0.headers = ["X-Auth": "s3cret"]
            $0.cookie = "s3cret"
            $0.subprotocols = ["s3cret"]
        }
        var dumped = ""
        dump(options, to: &dumped)
        for text in [dumped, "\(options)", String(reflecting: options)] {
            #expect(!text.contains("s3cret"))
        }
        #expect(dumped.contains("X-Auth"))
    }
}
