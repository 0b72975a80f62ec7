import HTTPTypes
import WebSocketClient
import WebSocketProtocol

/// URLs, `Location` fields and proxies' URLs: an accepted one makes a request that says exactly the
/// same.
enum URLFuzz {
    private static let bases = [
        "ws://www.example.com/a/b?c", "wss://user:password@[::1]:8443", "ws://10.0.0.1:81/%25/",
    ]

    static func run(_ input: inout Input) throws(Finding) {
        let base = try Sample.url(bases[Int(input.byte()) % bases.count])
        let text = input.restAsText
        let url = try accepted { () throws(InvalidURL) in try WebSocketURL(parsing: text) }
        if let url { try check(url) }
        let resolved = try accepted { () throws(InvalidURL) in try base.resolved(text) }
        if let resolved { try check(resolved) }
        if let proxy = Proxy(url: text) {
            try requireEscaped(proxy.description)
            try require(!proxy.host.isEmpty, "a proxy without a host")
        }
    }

    private static func check(_ url: WebSocketURL) throws(Finding) {
        try require(!url.host.isEmpty && url.host.utf8.count <= 320, "a host of no size")
        try require(url.resource.hasPrefix("/"), "a resource without a slash")
        try require(
            (url.host + url.resource).utf8.allSatisfy { (0x21...0x7E).contains($0) },
            "characters that can't be sent"
        )
        try requireEscaped(url.description)
        let again = try Sample.url(url.description)
        try require(
            again.isSecure == url.isSecure && again.host == url.host && again.port == url.port
                && again.resource == url.resource
                && (again.credentials == nil) == (url.credentials == nil),
            "\(url) is another URL"
        )
        try request(to: url)
    }

    /// A server understands the request as it was meant.
    private static func request(to url: WebSocketURL) throws(Finding) {
        var decoder = HTTPHeadDecoder<RequestLine>()
        let request: HandshakeRequest
        do throws(InvalidHandshakeRequest) {
            request = try HandshakeRequest(url: url, key: Sample.key)
        } catch {
            throw Finding(description: "no request can be made: \(error)")
        }
        let bytes = request.encode()
        guard bytes.count <= 16 << 10 else { return }
        let taken = try? decoder.receive(bytes)
        try require(taken == bytes.count, "the request is malformed")
        let head = decoder.head
        try require(head?.startLine.target == url.resource, "another target")
        try require(head?.fields[.hostField] == url.hostHeader, "another host")
        try require(head?.fields == request.fields, "other fields")
    }
}
