import LoopbackServer
import TestSupport
import WebSocketClient

/// Echo servers for all addresses of the far namespace, one in the clear and one over TLS.
enum FarServer {
    static let port: UInt16 = 7000
    static let securePort: UInt16 = 7001

    /// What makes the server reset the connection a second later.
    static let reset = "reset"

    static func run() throws {
        let identity = try Certificates.shared.get().server
        let tls = try TLSServer(certificateFile: identity.certificate, keyFile: identity.key)
        // "::" takes IPv4 too.
        let plain = try Listener(host: "::", port: port)
        let secure = try Listener(host: "::", port: securePort)
        try Threads.start { serve(secure) { try tls.accept(over: $0, until: .ample) } }
        serve(plain) { $0 }
    }

    private static func serve(
        _ listener: Listener,
        _ open: @escaping @Sendable (any ByteStream) throws -> any ByteStream
    ) {
        while let stream = try? listener.accept(until: .never) {
            // A client that breaks off is the client's business.
            try? Threads.start { try? echo(on: open(stream)) }
        }
    }

    private static func echo(on stream: any ByteStream) throws {
        let connection = try ServerConnection(accepting: stream, compression: nil)
        while true {
            let (opcode, payload) = try connection.receive()
            if payload.elementsEqual(reset.utf8) {
                pause(.seconds(1))
                return try TestSupport.reset(stream)
            }
            try payload.withUnsafeBytes { try connection.send(opcode, $0) }
        }
    }
}
