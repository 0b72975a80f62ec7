import struct WebSocketProtocol.Host
import struct WebSocketProtocol.InvalidURL

/// The hosts that are reached without a proxy, as `no_proxy` lists them.
///
/// An entry is `*` for all; an address; a network such as `10.0.0.0/8`; or a name, which stands for its
/// subdomains as well, with or without a dot before it, as in curl. Beyond curl, an entry may end in
/// `:port`, `*` may stand beside other entries, and `*.name` stands for the subdomains only. Names match
/// in any case, and at dots only.
struct NoProxyList {
    private let entries: [Entry]

    /// Takes entries, each of which may be a list separated by commas or blanks.
    init(_ lists: [String]) {
        entries = lists.flatMap { $0.split { $0 == "," || $0.isWhitespace } }.compactMap(Entry.init)
    }

    func contains(_ host: Host, port: UInt16) -> Bool {
        entries.contains { $0.matches(host, port: port) }
    }

    private struct Entry {
        private enum Pattern {
            case everything
            case network([UInt8], bits: Int)
            /// The name and everything below it.
            case name(Host)
            /// Everything below the name.
            case subdomains(Host)
        }

        private let pattern: Pattern
        private let port: UInt16?

        /// `nil` for an entry that can't match anything.
        init?(_ text: Substring) {
            if let slash = text.firstIndex(of: "/") {
                guard let base = Entry.host(text[..<slash])?.addressBytes,
                    let bits = Int(text[slash...].dropFirst()), (0...base.count * 8).contains(bits)
                else { return nil }
                (pattern, port) = (.network(base, bits: bits), nil)
                return
            }
            let (hostText, portText) = Entry.split(text)
            if let portText {
                guard let number = UInt16(portText) else { return nil }
                port = number
            } else {
                port = nil
            }
            if hostText == "*" {
                pattern = .everything
                return
            }
            let isBelow = hostText.hasPrefix("*.")
            let name =
                isBelow
                ? hostText.dropFirst(2) : hostText.hasPrefix(".") ? hostText.dropFirst() : hostText
            guard let host = Entry.host(name) else { return nil }
            if let address = host.addressBytes {
                // Nothing is below an address.
                guard name.count == hostText.count else { return nil }
                pattern = .network(address, bits: address.count * 8)
            } else {
                pattern = isBelow ? .subdomains(host) : .name(host)
            }
        }

        private static func host(_ text: Substring) -> Host? { try? Host(String(text)) }

        /// Splits off the port; an IPv6 address without brackets has none.
        private static func split(_ text: Substring) -> (host: Substring, port: Substring?) {
            let colons = text.count { $0 == ":" }
            guard let colon = text.lastIndex(of: ":"), colons == 1 || text.hasPrefix("["),
                text[colon...].firstIndex(of: "]") == nil
            else { return (text, nil) }
            return (text[..<colon], text[colon...].dropFirst())
        }

        func matches(_ host: Host, port: UInt16) -> Bool {
            guard self.port == nil || self.port == port else { return false }
            return switch pattern {
            case .everything: true
            case .network(let base, let bits):
                host.addressBytes?.isInNetwork(base, bits: bits) ?? false
            case .name(let name): host.isAtOrBelow(name)
            case .subdomains(let name): host.isAtOrBelow(name) && !name.isAtOrBelow(host)
            }
        }
    }
}

extension [UInt8] {
    /// Whether two addresses of one family begin with the same bits.
    fileprivate func isInNetwork(_ base: [UInt8], bits: Int) -> Bool {
        guard count == base.count else { return false }
        let (whole, rest) = bits.quotientAndRemainder(dividingBy: 8)
        guard prefix(whole) == base.prefix(whole) else { return false }
        return rest == 0 || (self[whole] ^ base[whole]) >> UInt8(8 - rest) == 0
    }
}
