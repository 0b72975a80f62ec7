import WebSocketClient
import WebSocketProtocol

/// Replies of proxies: HTTP CONNECT and every kind of SOCKS, in pieces of any size.
enum ProxyFuzz {
    private static let kinds: [Proxy.Kind] = [.http, .socks4a, .socks5h, .socks4, .socks5]

    static func run(_ input: inout Input) throws(Finding) {
        let choices = input.byte()
        let sizes = input.pieceSizes()
        let kind = kinds[Int(choices & 7) % kinds.count]
        var proxy = Proxy(kind, host: "proxy.example", port: 3128)
        if choices & 8 != 0 { proxy.credentials = BasicCredentials(user: "u", password: "p") }
        // Kinds for which the client resolves names get an address, so that nothing is looked up.
        let needsAddress = kind == .socks4 || kind == .socks5
        let host = try Sample.host(
            needsAddress || choices & 16 != 0 ? "192.0.2.1" : "www.example.com"
        )
        let bytes = input.rest
        let whole = try outcome(bytes, .whole, proxy, host)
        let split = try outcome(bytes, sizes, proxy, host)
        // Bytes after an HTTP proxy's answer are noticed only if they come together with it.
        if kind == .http, !whole.isOpen, split.isOpen { return }
        try require(whole.isOpen == split.isOpen, "opened in one way only")
        if kind != .http {
            try require(whole == split, "\(whole) at once, \(split) in pieces")
        }
    }

    private enum Outcome: Equatable {
        case open(rest: Int)
        case refused(ProxyError)

        var isOpen: Bool {
            if case .open = self { true } else { false }
        }
    }

    private static func outcome(
        _ bytes: [UInt8],
        _ sizes: PieceSizes,
        _ proxy: Proxy,
        _ host: Host
    ) throws(Finding) -> Outcome {
        let stream = ScriptedStream(sizes.pieces(of: bytes))
        do throws(TransportError) {
            _ = try ProxyTunnel.check(proxy)
            let tunnel = ProxyTunnel(
                proxy: proxy,
                host: host,
                port: 443,
                wakeUp: try WakeUp(),
                deadline: .never
            )
            _ = try tunnel.open(over: stream)
            return .open(rest: stream.rest)
        } catch {
            guard case .proxy(let failure) = error else {
                throw Finding(description: "not a proxy's failure: \(error)")
            }
            try requireEscaped(failure.description)
            return .refused(failure)
        }
    }
}

/// A stream whose input has all arrived, and that takes everything.
private final class ScriptedStream: ByteStream, @unchecked Sendable {
    // Safe to send: it is used by one thread.
    private var pieces: [ArraySlice<UInt8>]

    init(_ pieces: [ArraySlice<UInt8>]) { self.pieces = pieces.reversed() }

    var rest: Int { pieces.reduce(0) { $0 + $1.count } }

    let descriptor: Int32 = -1
    let isSecure = false

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        guard let piece = pieces.popLast() else { return .endOfStream }
        let part = piece.prefix(buffer.count)
        buffer.copyBytes(from: part)
        if part.count < piece.count { pieces.append(piece.dropFirst(part.count)) }
        return .bytes(part.count)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Transfer { .bytes(bytes.count) }

    func wait(for interest: Interest, until deadline: Deadline) -> Interest { interest }

    func nudge() {}
    func finishWriting() {}

    func abort() {}
}
