/// The server's end of TLS, for tests and the loopback server.
package final class TLSServer: Sendable {
    private let context: TLSContext

    /// Takes PEM files with the certificate and its key.
    package init(
        certificateFile: String,
        keyFile: String,
        maximumVersion: TLSOptions.Version? = nil
    ) throws(TransportError) {
        var options = TLSOptions(verification: .none)
        options.maximumVersion = maximumVersion
        options.clientCertificate = TLSOptions.ClientCertificate(
            certificateFile: certificateFile,
            keyFile: keyFile
        )
        context = try TLSContext(server: options)
    }

    /// Performs the handshake with a client that has connected.
    package func accept(
        over lower: any ByteStream,
        until deadline: Deadline
    ) throws(TransportError) -> TLSStream {
        let stream = TLSStream(
            over: lower,
            engine: try TLSEngine.make(context: context, peer: TLSPeer())
        )
        try stream.handshake(until: deadline)
        return stream
    }
}
