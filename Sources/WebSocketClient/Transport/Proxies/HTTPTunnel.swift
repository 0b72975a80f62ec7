import HTTPTypes
import WebSocketProtocol

/// HTTP CONNECT, RFC 9110 §9.3.6.
enum HTTPTunnel {
    /// Limits of a proxy's answer: a status and a few fields are all that is of use.
    private static var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.maximumHeadBytes = 16 << 10
        limits.maximumLineBytes = 8 << 10
        return limits
    }

    static func check(_ proxy: Proxy, host: String) throws(TransportError) {
        guard proxy.credentials?.isValid ?? true else {
            throw .invalidArgument(
                "A proxy's user name has no colon, and neither it nor the password has control "
                    + "characters."
            )
        }
        for field in proxy.headers {
            guard field.hasSendableValue else {
                throw .invalidArgument("A header field for the proxy can't be sent.")
            }
        }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw .invalidArgument("The host has characters that can't be sent to a proxy.")
        }
    }

    static func open(_ tunnel: ProxyTunnel, _ dialogue: ProxyDialogue) throws(TransportError) {
        try dialogue.send(request(for: tunnel))
        var decoder = HTTPHeadDecoder<StatusLine>(limits: limits)
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
                throw .proxy(.malformedAnswer("There are bytes after its header."))
            }
            return
        }
    }

    private static func request(for tunnel: ProxyTunnel) -> [UInt8] {
        let host = tunnel.host.contains(":") ? "[\(tunnel.host)]" : tunnel.host
        let target = "\(host):\(tunnel.port)"
        var fields: HTTPFields = [.hostField: target]
        fields[.proxyAuthorization] = tunnel.proxy.credentials?.fieldValue
        fields.append(contentsOf: tunnel.proxy.headers)
        var output = Array("CONNECT \(target) HTTP/1.1\r\n".utf8)
        fields.encode(into: &output)
        return output
    }
}
