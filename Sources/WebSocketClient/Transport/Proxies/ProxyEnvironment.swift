import struct WebSocketProtocol.Host

/// The proxy that the environment variables name, interpreted as by curl.
///
/// An empty variable counts as unset. In a program that runs with another user's rights (setuid), all
/// variables are ignored: whoever starts it must not choose where its connections go.
package enum ProxyEnvironment {
    /// The proxy for a connection to `host`, if there is one.
    ///
    /// `https_proxy` applies to wss, `http_proxy` to ws, and `all_proxy` to both if the other is not
    /// set; lower case before upper case.
    package static func proxy(
        isSecure: Bool,
        host: Host,
        port: UInt16,
        noProxy: [String]?
    ) throws(TransportError) -> Proxy? {
        try proxy(
            isSecure: isSecure,
            host: host,
            port: port,
            noProxy: noProxy,
            variable: SystemCalls.environmentVariable
        )
    }

    static func proxy(
        isSecure: Bool,
        host: Host,
        port: UInt16,
        noProxy: [String]?,
        variable: (String) -> String?
    ) throws(TransportError) -> Proxy? {
        var names = isSecure ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"]
        // In a CGI program, HTTP_PROXY is the request's Proxy header, so anybody can set it.
        if !isSecure, variable("REQUEST_METHOD") == nil { names.append("HTTP_PROXY") }
        names += ["all_proxy", "ALL_PROXY"]
        for name in names {
            guard let value = variable(name), !value.isEmpty else { continue }
            if bypasses(host: host, port: port, noProxy: noProxy, variable: variable) { return nil }
            do throws(ProxyError) {
                return try Proxy(parsing: value)
            } catch {
                throw .proxy(error.naming(variable: name))
            }
        }
        return nil
    }

    /// Whether `host` is to be reached directly: by the option if there is one, otherwise by
    /// `no_proxy`.
    package static func bypasses(host: Host, port: UInt16, noProxy: [String]?) -> Bool {
        bypasses(
            host: host,
            port: port,
            noProxy: noProxy,
            variable: SystemCalls.environmentVariable
        )
    }

    private static func bypasses(
        host: Host,
        port: UInt16,
        noProxy: [String]?,
        variable: (String) -> String?
    ) -> Bool {
        let listed = ["no_proxy", "NO_PROXY"].lazy.compactMap(variable).first { !$0.isEmpty }
        return NoProxyList(noProxy ?? [listed ?? ""]).contains(host, port: port)
    }
}

extension ProxyError {
    fileprivate func naming(variable: String) -> ProxyError {
        guard case .invalidConfiguration(let text) = self else { return self }
        return .invalidConfiguration("\(text) (environment variable \(variable))")
    }
}
