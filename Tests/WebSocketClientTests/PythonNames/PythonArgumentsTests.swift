import Foundation
import HTTPTypes
import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

/// Records the options with which it would connect, and doesn't connect.
private final class OptionRecorder: WebSocket, @unchecked Sendable {
    private let noted = Locked<(url: String, options: ConnectOptions)?>(nil)

    override func connect(to url: String, options: ConnectOptions?) throws {
        let options = options ?? self.options
        noted.withLock { $0 = (url, options) }
    }

    func facts() throws -> [String] {
        let noted = try #require(noted.withLock { $0 })
        return OptionRecorder.facts(noted.options) + [noted.url]
    }

    /// The options as text, as closures can't be compared.
    static func facts(_ options: ConnectOptions) -> [String] {
        Mirror(reflecting: options).children.map { "\($0.label ?? ""): \($0.value)" } + [
            "\(options.headers)", "\(options.cookie ?? "none")", "\(options.subprotocols)",
            "\(options.maskingKey?() ?? 0)",
        ]
    }
}

/// One argument of websocket-client, passed to each call that takes it, and its expected effect.
private struct Argument: Sendable, CustomTestStringConvertible {
    static let url = "ws://server.example/"

    let name: String
    var create: @Sendable () throws -> OptionRecorder
    /// With `WebSocket(…)` or `connect(…)`, whichever takes it in websocket-client.
    var connect: @Sendable () throws -> OptionRecorder
    var change: @Sendable (inout ConnectOptions) throws -> Void

    var testDescription: String { name }
}

extension Argument {
    /// Options in which everything is set, so that adding differs from replacing.
    static func base() -> ConnectOptions {
        var options = ConnectOptions()
        options.headers = [.userAgent: "base", .acceptLanguage: "en"]
        options.cookie = "base=1"
        options.subprotocols = ["base"]
        options.socketOptions = [.receiveBufferSize(4096)]
        options.timeouts.close = .seconds(9)
        return options
    }

    private static func connecting(_ call: (OptionRecorder) throws -> Void) throws -> OptionRecorder
    {
        let socket = OptionRecorder(options: base())
        try call(socket)
        return socket
    }

    private static func made(_ socket: OptionRecorder) throws -> OptionRecorder {
        try socket.connect(url)
        return socket
    }

    static let all: [Argument] = [
        Argument(
            name: "timeout",
            create: {
                try createConnection(
                    url,
                    timeout: .seconds(7),
                    as: OptionRecorder.self,
                    options: base()
                )
            },
            connect: { try connecting { try $0.connect(url, timeout: .seconds(7)) } },
            change: {
                $0.timeouts = Timeouts(all: .seconds(7))
                $0.timeouts.close = .seconds(9)
            }
        ),
        Argument(
            name: "header",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    header: ["User-Agent": "mine", "X-One": "1"],
                    options: base()
                )
            },
            connect: {
                try connecting { try $0.connect(url, header: ["User-Agent: mine", "X-One: 1"]) }
            },
            change: {
                $0.headers = [.acceptLanguage: "en", .userAgent: "mine"]
                $0.headers.append(name: "X-One", value: "1")
            }
        ),
        Argument(
            name: "cookie",
            create: {
                try createConnection(url, as: OptionRecorder.self, cookie: "a=1", options: base())
            },
            connect: { try connecting { try $0.connect(url, cookie: "a=1") } },
            change: { $0.cookie = "a=1" }
        ),
        Argument(
            name: "origin",
            create: {
                try createConnection(url, as: OptionRecorder.self, origin: "null", options: base())
            },
            connect: { try connecting { try $0.connect(url, origin: "null") } },
            change: { $0.origin = .custom("null") }
        ),
        Argument(
            name: "suppress_origin",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    suppressOrigin: true,
                    options: base()
                )
            },
            connect: { try connecting { try $0.connect(url, suppressOrigin: true) } },
            change: { $0.origin = .omitted }
        ),
        Argument(
            name: "host",
            create: {
                try createConnection(url, as: OptionRecorder.self, host: "other", options: base())
            },
            connect: { try connecting { try $0.connect(url, host: "other") } },
            change: { $0.host = .custom("other") }
        ),
        Argument(
            name: "suppress_host",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    suppressHost: true,
                    options: base()
                )
            },
            connect: { try connecting { try $0.connect(url, suppressHost: true) } },
            change: { $0.host = .omitted }
        ),
        Argument(
            name: "connection",
            create: {
                try createConnection(url, as: OptionRecorder.self, connection: "x", options: base())
            },
            connect: { try connecting { try $0.connect(url, connection: "x") } },
            change: { $0.connection = "x" }
        ),
        Argument(
            name: "subprotocols",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    subprotocols: ["a", "b"],
                    options: base()
                )
            },
            connect: { try connecting { try $0.connect(url, subprotocols: ["a", "b"]) } },
            change: { $0.subprotocols = ["a", "b"] }
        ),
        Argument(
            name: "redirect_limit",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    redirectLimit: 0,
                    options: base()
                )
            },
            connect: { try connecting { try $0.connect(url, redirectLimit: 0) } },
            change: { $0.redirectLimit = 0 }
        ),
        Argument(
            name: "http_proxy_host http_proxy_port http_proxy_auth proxy_type",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    httpProxyHost: "proxy",
                    httpProxyPort: 1,
                    httpProxyAuth: BasicCredentials(user: "u", password: "p"),
                    proxyType: .socks5,
                    options: base()
                )
            },
            connect: {
                try connecting {
                    try $0.connect(
                        url,
                        httpProxyHost: "proxy",
                        httpProxyPort: 1,
                        httpProxyAuth: BasicCredentials(user: "u", password: "p"),
                        proxyType: .socks5
                    )
                }
            },
            change: {
                $0.proxy = .proxy(
                    Proxy(
                        .socks5,
                        host: "proxy",
                        port: 1,
                        credentials: BasicCredentials(user: "u", password: "p")
                    )
                )
            }
        ),
        Argument(
            name: "http_no_proxy",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    httpNoProxy: ["*"],
                    options: base()
                )
            },
            connect: { try connecting { try $0.connect(url, httpNoProxy: ["*"]) } },
            change: { $0.noProxy = ["*"] }
        ),
        Argument(
            name: "http_proxy_timeout",
            create: {
                try createConnection(
                    url,
                    timeout: .seconds(7),
                    as: OptionRecorder.self,
                    httpProxyTimeout: .seconds(3),
                    options: base()
                )
            },
            connect: {
                try connecting {
                    try $0.connect(url, timeout: .seconds(7), httpProxyTimeout: .seconds(3))
                }
            },
            change: {
                $0.timeouts = Timeouts(all: .seconds(7))
                $0.timeouts.close = .seconds(9)
                $0.timeouts.proxy = .seconds(3)
            }
        ),
        Argument(
            name: "socket",
            create: {
                try createConnection(url, as: OptionRecorder.self, socket: 77, options: base())
            },
            connect: { try connecting { try $0.connect(url, socket: 77) } },
            change: { $0.socket = 77 }
        ),
        Argument(
            name: "sockopt",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    sockopt: [.sendBufferSize(8192)],
                    options: base()
                )
            },
            connect: {
                try made(OptionRecorder(sockopt: [.sendBufferSize(8192)], options: base()))
            },
            change: { $0.socketOptions = [.receiveBufferSize(4096), .sendBufferSize(8192)] }
        ),
        Argument(
            name: "sslopt",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    sslopt: TLSOptions(verification: .chainOnly),
                    options: base()
                )
            },
            connect: {
                try made(
                    OptionRecorder(sslopt: TLSOptions(verification: .chainOnly), options: base())
                )
            },
            change: { $0.tls.verification = .chainOnly }
        ),
        Argument(
            name: "fire_cont_frame",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    fireContFrame: true,
                    options: base()
                )
            },
            connect: { try made(OptionRecorder(fireContFrame: true, options: base())) },
            change: { $0.deliversFragments = true }
        ),
        Argument(
            name: "skip_utf8_validation",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    skipUTF8Validation: true,
                    options: base()
                )
            },
            connect: { try made(OptionRecorder(skipUTF8Validation: true, options: base())) },
            change: { $0.validatesUTF8 = false }
        ),
        Argument(
            name: "get_mask_key",
            create: {
                try createConnection(
                    url,
                    as: OptionRecorder.self,
                    getMaskKey: { 5 },
                    options: base()
                )
            },
            connect: { try made(OptionRecorder(getMaskKey: { 5 }, options: base())) },
            change: { $0.maskingKey = { 5 } }
        ),
    ]
}

@Suite("websocket-client's arguments")
struct PythonArgumentsTests {
    @Test("mean the same in createConnection, WebSocket(…) and connect(…)", arguments: Argument.all)
    fileprivate func agreement(argument: Argument) throws {
        var expected = Argument.base()
        try argument.change(&expected)
        let facts = OptionRecorder.facts(expected) + [Argument.url]
        #expect(try argument.create().facts() == facts)
        #expect(try argument.connect().facts() == facts)
        #expect(OptionRecorder.facts(expected) != OptionRecorder.facts(Argument.base()))
    }

    @Test("are all compared here, if the table of names has them")
    func table() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let article = try String(
            contentsOf: root.appending(
                path: "Sources/WebSocketClient/Documentation.docc/NameByName.md"
            ),
            encoding: .utf8
        )
        let section = try #require(
            article.split(separator: "\n## ").first {
                $0.hasPrefix("Options of create_connection and connect\n")
            }
        )
        let rows = section.split(separator: "\n").filter {
            // A row that ends in a sentence has no counterpart.
            $0.hasPrefix("| `") && !$0.hasSuffix(". |")
        }
        let names = rows.map { $0.dropFirst(3).prefix { $0 != "`" && $0 != " " } }
        let compared = Set(Argument.all.flatMap { $0.name.split(separator: " ") })
        #expect(names.count > 20)
        #expect(Set(names) == compared)
    }

    @Test(
        "of connect(…) don't change other options, and apply to the socket from then on"
    )
    func kept() throws {
        let socket = WebSocket(sockopt: [.noDelay(false)], options: Argument.base())
        #expect(throws: WebSocketError.self) {
            try socket.connect("http://server.example/", origin: "null")
        }
        // The attempt didn't begin, so nothing has changed.
        #expect(OptionRecorder.facts(socket.options).contains("origin: automatic"))
        #expect(throws: WebSocketError.self) {
            try socket.connect("ws://127.0.0.1:1/", origin: "null", httpNoProxy: ["*"])
        }
        #expect(socket.options.origin == .custom("null"))
        #expect(socket.options.socketOptions == [.receiveBufferSize(4096), .noDelay(false)])
    }

    @Test("that are invalid close the socket that came with them")
    func unusable() throws {
        for connect: (Int32) throws -> Void in [
            { try WebSocket().connect("ws://server.example/", httpProxyHost: "proxy", socket: $0) },
            {
                var options = ConnectOptions()
                options.socket = $0
                try WebSocket(options: options).connect(
                    "ws://server.example/",
                    header: ["no colon"]
                )
            },
            {
                _ = try createConnection("ws://server.example/", httpProxyHost: "proxy", socket: $0)
            },
        ] {
            let (own, peer) = try makeDescriptorPair()
            let stream = SocketStream(try Socket(adopting: peer), wakeUp: try WakeUp())
            #expect(throws: WebSocketError.self) { try connect(own) }
            #expect(try stream.readSome(until: .ample) == nil)
        }
    }
}
