import Foundation
import LoopbackServer
import Synchronization
import TestSupport
import WebSocketClient

// churn-connections: racing threads connect, close, drop, reconnect and abort, ten thousand times by
// default, plain and over TLS. Fails unless the process has as many descriptors and threads at the end
// as at the start.

/// How a connection ends.
enum End: CaseIterable { case close, abort, drop, reconnect, abortWhileConnecting, cutByServer }

func connect(_ socket: WebSocket, to url: String, _ end: End) throws {
    if end == .abortWhileConnecting {
        // At any moment: while it connects, while it receives. Before it connects there is nothing to
        // abort, so repeat until it has ended.
        let isOver = Atomic<Bool>(false)
        let other = Background {
            while !isOver.load(ordering: .relaxed) {
                socket.abort()
                pause(.microseconds(300))
            }
        }
        _ = failure {
            try socket.connect(to: url)
            _ = try socket.receive()
        }
        isOver.store(true, ordering: .relaxed)
        return try other.join()
    }
    try socket.connect(to: url)
    if end == .cutByServer {
        guard failure({ try socket.receive() })?.closure?.code == .abnormalClosure else {
            throw SupportError("the server's cut was not noticed")
        }
        return
    }
    try socket.send("x")
    guard try socket.receive() == .text("x") else { throw SupportError("no echo") }
    switch end {
    case .close: try socket.close()
    case .abort: socket.abort()
    case .reconnect:
        socket.abort()
        try socket.connect(to: url)
        try socket.close()
    case .drop, .abortWhileConnecting, .cutByServer: break
    }
}

/// One plain and one over TLS.
struct Servers {
    private let plain: LoopbackServer
    private let secure: LoopbackServer
    let options: ConnectOptions

    init() throws {
        let certificates = try Certificates.shared.get()
        let identity = certificates.server
        let tls = try TLSServer(certificateFile: identity.certificate, keyFile: identity.key)
        plain = try LoopbackServer(script: Self.serve)
        secure = try LoopbackServer(tls: tls, script: Self.serve)
        var options = ConnectOptions(timeout: .seconds(30))
        options.proxy = .none
        options.cookieJar = nil
        options.tls.certificateAuthorityFile = certificates.authority.certificate
        self.options = options
    }

    func url(isSecure: Bool, _ end: End) -> String {
        (isSecure ? secure : plain).url(end == .cutByServer ? "/cut" : "/echo")
    }

    func stop() {
        plain.stop()
        secure.stop()
    }

    @Sendable
    private static func serve(_ server: ServerConnection) throws {
        if server.target == "/cut" { return }
        while true {
            let (opcode, payload) = try server.receive()
            try payload.withUnsafeBytes { try server.send(opcode, $0) }
        }
    }
}

func churn(_ count: Int) throws {
    let servers = try Servers()
    let next = Atomic<Int>(0)
    let threads = (0..<4).map { _ in
        Background {
            while true {
                let number = next.add(1, ordering: .relaxed).oldValue
                guard number < count else { return }
                let end = End.allCases[number % End.allCases.count]
                // One in seven: a handshake of TLS takes a millisecond.
                let url = servers.url(isSecure: number % 7 == 0, end)
                try connect(WebSocket(options: servers.options), to: url, end)
            }
        }
    }
    for thread in threads { try thread.join() }
    servers.stop()
}

let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10_000
// Everything that is made once for the process is made now: certificates, made by a program that
// Foundation waits for with threads that stay, and the buffers and caches of the first connections.
_ = try Certificates.shared.get()
let idleThreads = Descriptors.threads
try churn(100)
func figures() -> (descriptors: Int, threads: Int) {
    (Descriptors.open.count, Descriptors.threads)
}
/// Waits for the server's threads, which take a moment to end.
func settled(_ isSettled: () -> Bool) -> Bool { eventually(isSettled) }

guard settled({ figures().threads <= idleThreads }) else {
    print("FAILED \(figures()) after the first connections, \(idleThreads) threads before")
    exit(1)
}
let before = figures()
let duration = try elapsed { try churn(count) }
let isFine = settled {
    let now = figures()
    return now.descriptors <= before.descriptors && now.threads <= before.threads
}
print(
    "\(isFine ? "ok    " : "FAILED") \(count) connections in \(duration): \(before) before, "
        + "\(figures()) after"
)
exit(isFine ? 0 : 1)
