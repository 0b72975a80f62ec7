/// A URL or a part of one, split into its components, RFC 3986 §4.1; the fragment is dropped.
struct URLReference {
    private var scheme: String?
    private var authority: [UInt8]?
    private var path: [UInt8]
    private var query: [UInt8]?

    init(_ text: String) {
        var rest = Array(text.utf8.prefix { $0 != UInt8(ascii: "#") })[...]
        let name = rest.prefix { $0.isLetter || $0.isDigit || Self.schemePunctuation.contains($0) }
        if let first = name.first, first.isLetter, rest.dropFirst(name.count).first == Self.colon {
            scheme = String(decoding: name.map(\.lowercased), as: UTF8.self)
            rest = rest.dropFirst(name.count + 1)
        }
        if rest.starts(with: [Self.slash, Self.slash]) {
            let text = rest.dropFirst(2).prefix { $0 != Self.slash && $0 != Self.questionMark }
            authority = Array(text)
            rest = rest.dropFirst(2 + text.count)
        }
        path = Array(rest.prefix { $0 != Self.questionMark })
        rest = rest.dropFirst(path.count)
        query = rest.isEmpty ? nil : Array(rest.dropFirst())
    }

    /// The URL, if this is an absolute one; `schemes` maps the known schemes to whether they are
    /// secure.
    func absoluteURL(schemes: [(name: String, isSecure: Bool)]) throws(InvalidURL) -> WebSocketURL {
        guard let scheme else { throw InvalidURL(.missingScheme) }
        guard let isSecure = schemes.first(where: { $0.name == scheme })?.isSecure else {
            throw InvalidURL(.unsupportedScheme(scheme))
        }
        guard let authority else { throw InvalidURL(.missingHost) }
        return WebSocketURL(
            authority: try Authority(authority),
            isSecure: isSecure,
            resource: try Self.resource(path: path, query: query)
        )
    }

    /// The URL that this refers to, relative to `base`, RFC 3986 §5.2.2.
    func resolved(against base: WebSocketURL) throws(InvalidURL) -> WebSocketURL {
        var target = self
        if scheme != nil || authority != nil {
            target.scheme = scheme ?? (base.isSecure ? "wss" : "ws")
            target.path = Self.removingDotSegments(path)
            return try target.absoluteURL(schemes: [
                ("ws", false), ("wss", true), ("http", false), ("https", true),
            ])
        }
        if path.isEmpty {
            target.path = Array(base.path.utf8)
            target.query = query ?? Self.query(of: base)
        } else if path.first == Self.slash {
            target.path = Self.removingDotSegments(path)
        } else {
            // RFC 3986 §5.2.3: the reference replaces everything after the last slash.
            let folder = Array(base.path.utf8.reversed().drop { $0 != Self.slash }.reversed())
            target.path = Self.removingDotSegments(folder + path)
        }
        return base.with(resource: try Self.resource(path: target.path, query: target.query))
    }

    private static func query(of url: WebSocketURL) -> [UInt8]? {
        let text = url.resource.utf8.drop { $0 != questionMark }
        return text.isEmpty ? nil : Array(text.dropFirst())
    }

    private static func resource(path: [UInt8], query: [UInt8]?) throws(InvalidURL) -> String {
        var bytes = path.isEmpty ? [slash] : path
        if let query { bytes += [questionMark] + query }
        guard !bytes.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw InvalidURL(.invalidResource)
        }
        return percentEncodingNonASCII(bytes)
    }

    private static func percentEncodingNonASCII(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        for byte in bytes {
            if byte < 0x80 {
                output.append(byte)
            } else {
                output += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// RFC 3986 §5.2.4.
    private static func removingDotSegments(_ path: [UInt8]) -> [UInt8] {
        let dot = UInt8(ascii: ".")
        var kept: [ArraySlice<UInt8>] = []
        let isAbsolute = path.first == slash
        let segments = (isAbsolute ? path.dropFirst() : path[...])
            .split(separator: slash, omittingEmptySubsequences: false)
        for (index, segment) in segments.enumerated() {
            let isParent = segment.elementsEqual([dot, dot])
            guard isParent || segment.elementsEqual([dot]) else {
                kept.append(segment)
                continue
            }
            if isParent { _ = kept.popLast() }
            if index == segments.count - 1 { kept.append([]) }
        }
        return (isAbsolute ? [slash] : []) + kept.joined(separator: [slash])
    }

    private static let colon = UInt8(ascii: ":")
    private static let slash = UInt8(ascii: "/")
    private static let questionMark = UInt8(ascii: "?")
    private static let schemePunctuation = Array("+-.".utf8)
}

extension WebSocketURL {
    /// The URL that a `Location` value refers to: relative to this one or absolute, with `http` and
    /// `https` treated as `ws` and `wss`.
    ///
    /// A relative reference keeps the credentials; any other has only its own.
    package func resolved(_ location: String) throws(InvalidURL) -> WebSocketURL {
        try URLReference(location).resolved(against: self)
    }
}
