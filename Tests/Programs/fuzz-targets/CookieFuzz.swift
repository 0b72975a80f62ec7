import HTTPTypes
import WebSocketProtocol

/// `Set-Cookie` fields of several servers: a cookie goes where it belongs and nowhere else.
enum CookieFuzz {
    private static let now: Int64 = 1_700_000_000
    private static let maximumTotal = 8

    private static let senders = [
        "wss://a.example.com/x/y", "ws://a.example.com/", "wss://b.example.com/x",
        "ws://127.0.0.1/",
        "wss://example.com/x/y/z?q", "wss://[::1]/x",
    ]
    private static let strangers = [
        "wss://example.org/x/y", "wss://com/x/y", "wss://xexample.com/x", "wss://127.0.0.2/x",
        "wss://example.com.evil.test/x/y", "wss://[::2]/",
    ]

    static func run(_ input: inout Input) throws(Finding) {
        var store = CookieStore(maximumPerDomain: 4, maximumTotal: maximumTotal)
        for line in input.rest.split(separator: UInt8(ascii: "\n")) {
            let url = try Sample.url(senders[Int(line.first ?? 0) % senders.count])
            store.store(String(decoding: line.dropFirst(), as: UTF8.self), from: url, now: now)
            try require(store.count <= maximumTotal, "more cookies than the limit")
        }
        for stranger in strangers {
            let header = store.cookieHeader(for: try Sample.url(stranger), now: now)
            try require(header == nil, "\(stranger) gets \(header ?? "")")
        }
        for sender in senders {
            let header = store.cookieHeader(for: try Sample.url(sender), now: now)
            try require(HTTPField.isValidValue(header ?? ""), "a cookie that ends its line")
            try require(header.map { $0.utf8.contains(UInt8(ascii: "=")) } ?? true, "no pair")
        }
        try keepSecrets(&store)
        store.clear()
        try require(store.count == 0, "cookies are left")
    }

    /// Cookies for an unencrypted connection are also sent over a secure one.
    private static func keepSecrets(_ store: inout CookieStore) throws(Finding) {
        for place in ["a.example.com/x/y", "b.example.com/x", "127.0.0.1/"] {
            let open = store.cookieHeader(for: try Sample.url("ws://" + place), now: now)
            let secure = store.cookieHeader(for: try Sample.url("wss://" + place), now: now)
            let isSubset = pairs(of: open).isSubset(of: pairs(of: secure))
            try require(isSubset, "a cookie for open connections only")
        }
    }

    /// Split byte by byte: a combining mark after a blank must not hide it.
    private static func pairs(of header: String?) -> Set<[UInt8]> {
        let pairs = Array((header ?? "").utf8).split(separator: UInt8(ascii: ";"))
        return Set(pairs.map { Array($0.drop { $0 == UInt8(ascii: " ") }) })
    }
}
