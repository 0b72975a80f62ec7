/// Where a connection leads: a name, or an Internet address.
///
/// The rules:
/// * A host is parsed here and nowhere else. Each consumer uses the form that it needs: the system's
///   resolver ``text``, the `Host` field ``hostField``, TLS ``tlsName``, and so on.
/// * A name whose last label is a number is an IPv4 address of four decimal numbers, or it is refused.
///   getaddrinfo(3) also reads `127.1`, `0x7f000001` and `017700000001` as addresses; a filter or a
///   certificate check that takes them for names would check another host than the one connected to.
/// * A name has no empty label, except after a final dot: to OpenSSL, a leading dot means every host
///   below the name.
package struct Host: Sendable, Hashable {
    /// The kind of host.
    package enum Kind: Sendable, Hashable {
        /// A name in ASCII and lower case; it may end in a dot.
        case name(String)
        /// The four bytes of an IPv4 address.
        case version4([UInt8])
        /// The sixteen bytes of an IPv6 address, and the interface by which it is reached.
        case version6([UInt8], zone: String?)
    }

    package let kind: Kind

    private init(kind: Kind) { self.kind = kind }

    /// Parses a host as it stands in a URL: an IPv6 address in brackets (RFC 3986 §3.2.2).
    init(inURL text: some Collection<UInt8>) throws(InvalidURL) {
        guard text.first == UInt8(ascii: "[") else {
            kind = try Self.nameOrVersion4(Array(text))
            return
        }
        let inner = text.dropFirst()
        guard let end = inner.firstIndex(of: UInt8(ascii: "]")),
            inner.index(after: end) == inner.endIndex
        else { throw InvalidURL(.invalidHost) }
        kind = try Self.version6(Array(inner[..<end]), zoneMark: "%25")
    }

    /// Parses a host as people write it elsewhere: an IPv6 address with or without brackets.
    package init(_ text: String) throws(InvalidURL) {
        let bytes = Array(text.utf8)
        let colons = bytes.count { $0 == UInt8(ascii: ":") }
        if bytes.first != UInt8(ascii: "["), colons >= 2 {
            self.init(kind: try Self.version6(bytes, zoneMark: "%"))
        } else {
            try self.init(inURL: bytes)
        }
    }
}

// MARK: Forms

extension Host {
    /// For people and for getaddrinfo(3): without brackets, the zone after a `%`.
    package var text: String {
        switch kind {
        case .name(let name): name
        case .version4(let bytes): Self.dotted(bytes)
        case .version6(let bytes, nil): Self.colons(bytes)
        case .version6(let bytes, let zone?): Self.colons(bytes) + "%" + zone
        }
    }

    /// For the `Host` field and the target of CONNECT: an IPv6 address in brackets, without its zone,
    /// which means nothing elsewhere (RFC 6874 §4).
    package var hostField: String {
        if case .version6(let bytes, _) = kind { "[\(Self.colons(bytes))]" } else { text }
    }

    /// For a URL: an IPv6 address in brackets, its zone after `%25` (RFC 6874 §2).
    package var inURL: String {
        if case .version6(let bytes, let zone?) = kind {
            "[\(Self.colons(bytes))%25\(zone)]"
        } else {
            hostField
        }
    }

    /// For SNI and certificates: no final dot (RFC 6066 §3), no brackets, no zone.
    package var tlsName: String {
        switch kind {
        case .name(let name): Self.withoutFinalDot(name)
        case .version4(let bytes): Self.dotted(bytes)
        case .version6(let bytes, _): Self.colons(bytes)
        }
    }

    /// The 4 or 16 bytes of an address, for SOCKS, certificates and networks; `nil` for a name.
    package var addressBytes: [UInt8]? {
        switch kind {
        case .name: nil
        case .version4(let bytes), .version6(let bytes, _): bytes
        }
    }

    package var isAddress: Bool { addressBytes != nil }

    /// Whether this is the host with this name or one below it; a final dot of either is ignored. An
    /// address is never below a name.
    package func isAtOrBelow(_ domain: Host) -> Bool {
        guard case .name(let own) = kind, case .name(let other) = domain.kind else { return false }
        let (name, suffix) = (Self.withoutFinalDot(own).utf8, Self.withoutFinalDot(other).utf8)
        guard name.count > suffix.count else { return name.elementsEqual(suffix) }
        return name.suffix(suffix.count).elementsEqual(suffix)
            && name.dropLast(suffix.count).last == UInt8(ascii: ".")
    }

    private static func withoutFinalDot(_ name: String) -> String {
        name.utf8.last == UInt8(ascii: ".") ? String(name.dropLast()) : name
    }

    private static func dotted(_ bytes: some Collection<UInt8>) -> String {
        bytes.map { "\($0)" }.joined(separator: ".")
    }

    /// The form of RFC 5952, so that each address has a single text.
    private static func colons(_ bytes: [UInt8]) -> String {
        let groups = stride(from: 0, to: 16, by: 2).map {
            UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
        }
        if groups.prefix(5).allSatisfy({ $0 == 0 }), groups[5] == 0xFFFF {
            return "::ffff:" + dotted(bytes.suffix(4))
        }
        func text(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        // The longest run of zeros, the first of several, but not a single group.
        var gap = 0..<0
        var start = 0
        while start < 8 {
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start >= 2, end - start > gap.count { gap = start..<end }
            start = max(end, start) + 1
        }
        return gap.isEmpty
            ? text(0..<8) : text(0..<gap.lowerBound) + "::" + text(gap.upperBound..<8)
    }
}

extension Host: CustomStringConvertible {
    package var description: String { text }
}

// MARK: Parsing

extension Host {
    private static func nameOrVersion4(_ text: [UInt8]) throws(InvalidURL) -> Kind {
        guard !text.isEmpty else { throw InvalidURL(.missingHost) }
        guard text.count <= 255 else { throw InvalidURL(.invalidHost) }
        guard text.allSatisfy(isNameCharacter) else {
            let isInternational = text.contains { $0 >= 0x80 }
            throw InvalidURL(isInternational ? .internationalHost : .invalidHost)
        }
        var labels = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if labels.count > 1, labels.last?.isEmpty == true { labels.removeLast() }
        guard let last = labels.last, labels.allSatisfy({ !$0.isEmpty }) else {
            throw InvalidURL(.invalidHost)
        }
        guard isNumber(last) else {
            return .name(String(decoding: text.map(\.lowercased), as: UTF8.self))
        }
        guard let bytes = version4(text) else { throw InvalidURL(.numericHost) }
        return .version4(bytes)
    }

    /// Whether inet_aton(3), and so getaddrinfo(3), takes a label for a number.
    private static func isNumber(_ label: ArraySlice<UInt8>) -> Bool {
        if label.allSatisfy(\.isDigit) { return true }
        let prefix = label.prefix(2).map(\.lowercased)
        return prefix == Array("0x".utf8)
            && label.dropFirst(2).allSatisfy { $0.hexadecimalValue != nil }
    }

    /// Four numbers from 0 to 255 without leading zeros, with dots between them.
    private static func version4(_ text: some Collection<UInt8>) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.count <= 3, part.count == 1 || part.first != UInt8(ascii: "0"),
                let value = part.decimalValue, let byte = UInt8(exactly: value)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    /// An IPv6 address, with its zone after `zoneMark`: `%25` in a URL (RFC 6874), where people write `%`
    /// too, and `%` elsewhere (RFC 4007 §11), where `%251` is the interface 251.
    private static func version6(
        _ text: [UInt8],
        zoneMark: String
    ) throws(InvalidURL) -> Kind {
        let address = text.prefix { $0 != UInt8(ascii: "%") }
        guard let bytes = version6Bytes(address) else { throw InvalidURL(.invalidHost) }
        guard address.count < text.count else { return .version6(bytes, zone: nil) }
        var zone = text.dropFirst(address.count)
        let isMarked = zone.starts(with: zoneMark.utf8) && zone.count > zoneMark.utf8.count
        zone = zone.dropFirst(isMarked ? zoneMark.utf8.count : 1)
        guard !zone.isEmpty, zone.count <= 64, zone.allSatisfy(isNameCharacter) else {
            throw InvalidURL(.invalidHost)
        }
        return .version6(bytes, zone: String(decoding: zone, as: UTF8.self))
    }

    /// RFC 4291 §2.2.
    private static func version6Bytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let colon = UInt8(ascii: ":")
        var groups = text.split(separator: colon, omittingEmptySubsequences: false)
        guard groups.count >= 3 else { return nil }
        // A `::` at either end produces two empty groups there; one of them is the gap itself.
        if groups[0].isEmpty {
            guard groups[1].isEmpty else { return nil }
            groups.removeFirst()
        }
        if groups[groups.count - 1].isEmpty {
            guard groups[groups.count - 2].isEmpty else { return nil }
            groups.removeLast()
        }
        var bytes: [UInt8] = []
        var gap: Int?
        for (index, group) in groups.enumerated() {
            if group.isEmpty {
                guard gap == nil else { return nil }
                gap = bytes.count
            } else if index == groups.count - 1, let tail = version4(group) {
                bytes += tail
            } else {
                guard group.count <= 4 else { return nil }
                var value: UInt16 = 0
                for digit in group {
                    guard let digit = digit.hexadecimalValue else { return nil }
                    value = value << 4 | UInt16(digit)
                }
                bytes += [UInt8(value >> 8), UInt8(value & 0xFF)]
            }
        }
        guard let gap else { return bytes.count == 16 ? bytes : nil }
        guard bytes.count <= 14 else { return nil }
        bytes.insert(contentsOf: repeatElement(0, count: 16 - bytes.count), at: gap)
        return bytes
    }

    /// The characters of names and zones: `unreserved` of RFC 3986 §2.3.
    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || nameCharacters.contains(byte)
    }

    private static let nameCharacters = Array("-._~".utf8)
}
