import TestSupport
import WebSocketProtocol

@testable import WebSocketClient

/// Our own TLS server's certificate, and the client.
struct TLSPair {
    var identity: Certificates.Identity
    var maximumVersion: TLSOptions.Version?
    var hosts = "127.0.0.1"

    init(_ identity: Certificates.Identity, maximumVersion: TLSOptions.Version? = nil) {
        self.identity = identity
        self.maximumVersion = maximumVersion
    }

    /// Client and server, connected over loopback; throws the client's error.
    func connect(
        _ options: TLSOptions,
        name: String = "localhost"
    ) throws -> (client: TLSStream, server: TLSStream) {
        let server = try TLSServer(
            certificateFile: identity.certificate,
            keyFile: identity.key,
            maximumVersion: maximumVersion
        )
        let listener = try Listener()
        let accepting = Background {
            let deadline = Deadline.ample
            return try server.accept(over: try listener.accept(until: deadline), until: deadline)
        }
        var plan = ConnectPlan(
            target: .host("127.0.0.1", port: listener.port),
            serverName: try Host(serverName: name)
        )
        plan.tls = options
        plan.deadline = .ample
        let client = Result { try Connector.connect(plan, wakeUp: WakeUp()) }
        let accepted = Result { try accepting.join() }
        guard let stream = try client.get() as? TLSStream else {
            throw SupportError("not a TLS stream")
        }
        return (stream, try accepted.get())
    }
}
