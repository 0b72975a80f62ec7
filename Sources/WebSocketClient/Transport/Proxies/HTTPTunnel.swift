import struct HTTPTypes.HTTPField
import struct HTTPTypes.HTTPFields
import struct WebSocketProtocol.BasicCredentials
import struct WebSocketProtocol.FinalHeadDecoder
import struct WebSocketProtocol.HTTPLimits
import enum WebSocketProtocol.MalformedHTTP

/// HTTP CONNECT, RFC 9110 §9.3.6.
enum HTTPTunnel {
    /// Limits of a proxy's answer, of which only the status and a few fields matter.
    private static var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.maximumHeadBytes = 16 << 10
        limits.maximumLineBytes = 8 << 10
        return limits
    }

    /// Fields that would contradict CONNECT, or the absence of a body.
    private static let reservedNames: [HTTPField.Name] = [
        .hostField, .contentLength, .transferEncoding,
    ]

    static func check(_ proxy: Proxy) throws(TransportError) {
        guard proxy.credentials?.isValid ?? true else {
            throw .invalidArgument(
                "A proxy's user name can't contain a colon, and neither it nor the password can contain "
                    + "control characters."
            )
        }
        for field in proxy.headers {
            guard field.hasSendableValue else {
                throw .invalidArgument("A header field for the proxy contains a control character.")
            }
            guard !reservedNames.contains(field.name) else {
                throw .invalidArgument(
                    "The header field \(field.name) can't be set for a proxy: CONNECT has no body, and "
                        + "its host is the target's."
                )
            }
        }
        let authorizations = proxy.headers[values: .proxyAuthorization].count
        guard authorizations + (proxy.credentials == nil ? 0 : 1) <= 1 else {
            throw .invalidArgument("The proxy has credentials and a Proxy-Authorization field.")
        }
    }

    static func open(_ tunnel: ProxyTunnel, _ dialogue: ProxyDialogue) throws(TransportError) {
        try dialogue.send(request(for: tunnel))
        var decoder = FinalHeadDecoder(limits: limits)
        while true {
            let bytes = try dialogue.receive(atMost: 4096)
            let taken: Int
            do throws(MalformedHTTP) {
                taken = try decoder.receive(bytes)
            } catch {
                throw .proxy(.malformedAnswer(error.description))
            }
            guard let head = decoder.head else { continue }
            let status = head.startLine.statusCode
            guard (200..<300).contains(status) else {
                throw .proxy(.refused(status: status, reason: head.startLine.reasonPhrase))
            }
            // Both TLS and WebSocket let the client speak first, so nothing can follow yet.
            guard taken == bytes.count else {
                throw .proxy(.malformedAnswer("It is followed by more bytes."))
            }
            return
        }
    }

    private static func request(for tunnel: ProxyTunnel) -> [UInt8] {
        let target = "\(tunnel.host.hostField):\(tunnel.port)"
        var fields = HTTPFields()
        fields[.hostField] = target
        fields[.proxyAuthorization] = tunnel.proxy.credentials?.fieldValue
        fields.append(contentsOf: tunnel.proxy.headers)
        var output = Array("CONNECT \(target) HTTP/1.1\r\n".utf8)
        fields.encode(into: &output)
        return output
    }
}
