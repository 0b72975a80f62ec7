/// The hosts that are reached without a proxy, as `no_proxy` lists them.
///
/// An entry is `*` for all; an address; a network such as `10.0.0.0/8`; a name, which stands for its
/// subdomains as well; or a name after a dot (or `*.`), which stands for its subdomains alone. Each but
/// `*` and networks may end in `:port`. Names match in any case, and at dots only.
struct NoProxyList {
    private let entries: [Entry]

    /// Takes entries, each of which may be a list with commas or blanks.
    init(_ lists: [String]) {
        entries = lists.flatMap { $0.split { $0 == "," || $0.isWhitespace } }.compactMap(Entry.init)
    }

    func contains(host: String, port: UInt16) -> Bool {
        let host = Host(host)
        return entries.contains { $0.matches(host, port: port) }
    }

    /// A host as it is compared.
    private struct Host {
        let name: String
        let address: [UInt8]?

        init(_ text: some StringProtocol) {
            var text = text.lowercased()
            if text.hasPrefix("["), text.hasSuffix("]") {
                text = String(text.dropFirst().dropLast())
            }
            address = SocketAddress.bytes(ofNumeric: String(text.prefix { $0 != "%" }))
            name = text.hasSuffix(".") ? String(text.dropLast()) : text
        }
    }

    private struct Entry {
        private enum Pattern {
            case everything
            case address([UInt8])
            case network([UInt8], bits: Int)
            /// The name and, if so, everything below it.
            case name(String)
            /// Everything below the name.
            case subdomains(String)
        }

        private let pattern: Pattern
        private let port: UInt16?

        /// `nil` for what can't match anything.
        init?(_ text: Substring) {
            if let slash = text.firstIndex(of: "/") {
                guard let base = Host(text[..<slash]).address,
                    let bits = Int(text[slash...].dropFirst()), (0...base.count * 8).contains(bits)
                else { return nil }
                (pattern, port) = (.network(base, bits: bits), nil)
                return
            }
            let (hostText, portText) = Entry.split(text)
            let host = Host(hostText)
            if let portText {
                guard let number = UInt16(portText) else { return nil }
                port = number
            } else {
                port = nil
            }
            if let address = host.address {
                pattern = .address(address)
            } else if host.name == "*" {
                pattern = .everything
            } else if host.name.hasPrefix("*.") {
                pattern = .subdomains(String(host.name.dropFirst()))
            } else if host.name.hasPrefix(".") {
                pattern = .subdomains(host.name)
            } else {
                pattern = .name(host.name)
            }
        }

        /// Takes the port off; an IPv6 address without brackets has none.
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
            case .address(let address): host.address == address
            case .network(let base, let bits): host.address?.isInNetwork(base, bits: bits) ?? false
            case .name(let name):
                host.address == nil && (host.name == name || host.name.hasSuffix("." + name))
            // Begins with a dot.
            case .subdomains(let suffix): host.address == nil && host.name.hasSuffix(suffix)
            }
        }
    }
}

extension [UInt8] {
    /// Whether the first bits of two addresses of one family are the same.
    fileprivate func isInNetwork(_ base: [UInt8], bits: Int) -> Bool {
        guard count == base.count else { return false }
        let (whole, rest) = bits.quotientAndRemainder(dividingBy: 8)
        guard prefix(whole) == base.prefix(whole) else { return false }
        return rest == 0 || (self[whole] ^ base[whole]) >> UInt8(8 - rest) == 0
    }
}
