import Foundation
import WebSocketClient

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The opening handshake that a task's request and its session's configuration ask for.
struct TaskHandshake {
    let url: String
    let options: ConnectOptions
    private let cookies: HTTPCookieStorage?
    /// The URL with an HTTP scheme, under which cookies are stored.
    private let cookieURL: URL?

    init(of task: WebSocketTask) throws {
        guard let request = task.originalRequest, let url = request.url,
            let scheme = url.scheme?.lowercased(), scheme == "ws" || scheme == "wss"
        else { throw URLError(.unsupportedURL) }
        self.url = url.absoluteString
        let configuration = task.session.configuration
        var options = task.session.options
        let seconds =
            request.timeoutInterval == Self.defaultTimeout
            ? configuration.timeoutIntervalForRequest : request.timeoutInterval
        let limit = Self.duration(seconds)
        options.timeouts.open = limit
        options.timeouts.connect = limit
        options.timeouts.proxy = limit
        options.timeouts.tls = limit
        options.timeouts.handshake = limit

        for (name, value) in configuration.httpAdditionalHeaders ?? [:] {
            try Self.set("\(name)", to: "\(value)", in: &options)
        }
        for (name, value) in request.allHTTPHeaderFields ?? [:] {
            try Self.set(name, to: value, in: &options)
        }

        let size = task.maximumMessageSize
        options.limits.maximumMessageBytes = size
        options.limits.maximumFrameBytes = size

        options.cookieJar = nil
        cookies = configuration.httpCookieStorage
        var components = URLComponents(url: url, resolvingAgainstBaseURL: true)
        components?.scheme = scheme == "ws" ? "http" : "https"
        cookieURL = components?.url
        if configuration.httpShouldSetCookies, request.httpShouldHandleCookies, let cookieURL,
            let known = cookies?.cookies(for: cookieURL)
        {
            let path = cookieURL.path.isEmpty ? "/" : cookieURL.path
            let meant = known.filter { cookie in
                Self.covers(cookie.path, path) && (!cookie.isSecure || scheme == "wss")
            }
            if !meant.isEmpty {
                options.cookie = HTTPCookie.requestHeaderFields(with: meant)["Cookie"]
            }
        }
        self.options = options
    }

    /// Stores the server's answer and its cookies.
    func take(_ answer: HandshakeResponse, for task: WebSocketTask) {
        var fields: [String: String] = [:]
        for field in answer.headers {
            let name = field.name.rawName
            fields[name] = fields[name].map { "\($0), \(field.value)" } ?? field.value
        }
        guard let url = task.originalRequest?.url else { return }
        let response = HTTPURLResponse(
            url: url,
            statusCode: answer.statusCode,
            httpVersion: "HTTP/1.1",
            headerFields: fields
        )
        task.change { $0.response = response }
        guard let cookies, let cookieURL, task.originalRequest?.httpShouldHandleCookies == true
        else { return }
        for value in answer.headers[values: .setCookie] {
            let field = ["Set-Cookie": value]
            let set = HTTPCookie.cookies(withResponseHeaderFields: field, for: cookieURL)
            cookies.setCookies(set, for: cookieURL, mainDocumentURL: nil)
        }
    }

    /// The time-out of a request that doesn't set one.
    private static let defaultTimeout = 60.0

    /// `nil`, no limit, for a number that isn't a time.
    private static func duration(_ seconds: TimeInterval) -> Duration? {
        guard seconds.isFinite, seconds > 0 else { return nil }
        return .seconds(min(seconds, 1e9))
    }

    /// Whether a cookie's path covers a request's (RFC 6265 §5.1.4), which the storage doesn't check on
    /// Linux.
    private static func covers(_ cookiePath: String, _ path: String) -> Bool {
        let (cookiePath, path) = (Array(cookiePath.utf8), Array(path.utf8))
        guard path.starts(with: cookiePath) else { return false }
        let slash = UInt8(ascii: "/")
        return path.count == cookiePath.count || cookiePath.last == slash
            || path[cookiePath.count] == slash
    }

    private static func set(
        _ name: String,
        to value: String,
        in options: inout ConnectOptions
    ) throws {
        let fields = try HTTPFields(pairs: [(name, value)])
        for field in fields {
            guard field.name == .secWebSocketProtocol else {
                options.headers[field.name] = field.value
                continue
            }
            options.subprotocols = field.value.split(separator: ",").map { part in
                part.trimmingCharacters(in: .whitespaces)
            }
        }
    }
}
