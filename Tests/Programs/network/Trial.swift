import TestSupport
import WebSocketClient

/// One thing that goes wrong with the network, and what must come of it.
struct Trial: Sendable {
    /// What a call with a time-out of one second may take: only a hang takes longer.
    static let limit = Duration.seconds(20)

    let title: String
    private let body: @Sendable (Link) throws -> Void

    init(_ title: String, _ body: @escaping @Sendable (Link) throws -> Void) {
        self.title = title
        self.body = body
    }

    func passes(over link: Link) -> Bool {
        link.restore()
        defer { link.restore() }
        do {
            let time = try elapsed { try body(link) }
            print("ok: \(title) (\(time))")
            return true
        } catch {
            print("FAILED: \(title): \(error)")
            return false
        }
    }

    /// Time-outs of a second, but for what `change` gives others.
    static func options(_ change: (inout ConnectOptions) -> Void = { _ in }) -> ConnectOptions {
        var options = ConnectOptions(timeout: .seconds(1))
        options.timeouts.open = .seconds(60)
        options.timeouts.close = .seconds(1)
        options.proxy = .none
        options.cookieJar = nil
        options.tls.verification = .none
        change(&options)
        return options
    }

    static func connect(
        to host: String = "four.test",
        isSecure: Bool = false,
        _ change: (inout ConnectOptions) -> Void = { _ in }
    ) throws -> WebSocket {
        try WebSocket.connect(to: url(host, isSecure: isSecure), options: options(change))
    }

    static func url(_ host: String = "four.test", isSecure: Bool = false) -> String {
        isSecure ? "wss://\(host):\(FarServer.securePort)/" : "ws://\(host):\(FarServer.port)/"
    }

    /// What `body` throws, which has to be within the limit.
    static func failure(_ body: () throws -> some Any) throws -> WebSocketError {
        var error: WebSocketError?
        let time = elapsed { error = TestSupport.failure(body) }
        try check(time < limit, "it took \(time)")
        guard let error else { throw SupportError("nothing was thrown") }
        return error
    }

    static func check(_ condition: Bool, _ words: @autoclosure () -> String) throws {
        guard condition else { throw SupportError(words()) }
    }
}
