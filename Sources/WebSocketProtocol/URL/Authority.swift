/// The part of a URL between `//` and the path: credentials, host and port, RFC 3986 §3.2.
package struct Authority {
    package var credentials: BasicCredentials?
    package var host: String
    package var port: UInt16?

    package init(_ bytes: [UInt8]) throws(InvalidURL) {
        // RFC 3986 allows one `@`: taking the first or the last of several for the separator is how
        // two programs come to disagree about the host.
        let parts = bytes.split(
            separator: UInt8(ascii: "@"),
            omittingEmptySubsequences: false
        )
        guard parts.count <= 2, let hostAndPort = parts.last else {
            throw InvalidURL(.invalidUserInfo)
        }
        credentials = parts.count == 2 ? try Self.credentials(parts[0]) : nil
        let hostLength: Int
        if hostAndPort.first == UInt8(ascii: "[") {
            guard let end = hostAndPort.firstIndex(of: UInt8(ascii: "]")) else {
                throw InvalidURL(.invalidHost)
            }
            host = try Self.addressInBrackets(hostAndPort[..<end].dropFirst())
            hostLength = end + 1 - hostAndPort.startIndex
        } else {
            let name = hostAndPort.prefix { $0 != UInt8(ascii: ":") }
            host = try Self.name(name)
            hostLength = name.count
        }
        port = try Self.port(hostAndPort.dropFirst(hostLength))
    }

    private static func credentials(_ text: ArraySlice<UInt8>) throws(InvalidURL)
        -> BasicCredentials
    {
        let user = text.prefix { $0 != UInt8(ascii: ":") }
        let password = text.dropFirst(user.count + 1)
        guard let user = percentDecoded(user), let password = percentDecoded(password) else {
            throw InvalidURL(.invalidUserInfo)
        }
        let credentials = BasicCredentials(user: user, password: password)
        guard credentials.isValid else { throw InvalidURL(.invalidUserInfo) }
        return credentials
    }

    private static func percentDecoded(_ text: ArraySlice<UInt8>) -> String? {
        var output: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                output.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexadecimalValue,
                let low = rest.popFirst()?.hexadecimalValue
            else { return nil }
            output.append(high << 4 | low)
        }
        return String(validating: output, as: UTF8.self)
    }

    private static func name(_ text: ArraySlice<UInt8>) throws(InvalidURL) -> String {
        guard !text.isEmpty else { throw InvalidURL(.missingHost) }
        guard text.count <= 255, text.allSatisfy(isNameCharacter) else {
            throw InvalidURL(.invalidHost)
        }
        return String(decoding: text.map(\.lowercased), as: UTF8.self)
    }

    /// An IPv6 address, with its zone (RFC 6874) after `%25` or, as people write it, `%`.
    private static func addressInBrackets(_ text: ArraySlice<UInt8>) throws(InvalidURL) -> String {
        let address = text.prefix { $0 != UInt8(ascii: "%") }
        guard IPAddress.isVersion6(address) else { throw InvalidURL(.invalidHost) }
        let lowercased = String(decoding: address.map(\.lowercased), as: UTF8.self)
        guard address.count < text.count else { return lowercased }
        var zone = text.dropFirst(address.count + 1)
        if zone.starts(with: "25".utf8), zone.count > 2 { zone = zone.dropFirst(2) }
        guard !zone.isEmpty, zone.count <= 64, zone.allSatisfy(isNameCharacter) else {
            throw InvalidURL(.invalidHost)
        }
        return lowercased + "%" + String(decoding: zone, as: UTF8.self)
    }

    private static func port(_ text: ArraySlice<UInt8>) throws(InvalidURL) -> UInt16? {
        guard let first = text.first else { return nil }
        guard first == UInt8(ascii: ":") else { throw InvalidURL(.invalidHost) }
        let digits = text.dropFirst()
        // RFC 3986 §6.2.3: an empty port is the default one.
        guard !digits.isEmpty else { return nil }
        guard let value = digits.decimalValue, let port = UInt16(exactly: value), port > 0 else {
            throw InvalidURL(.invalidPort)
        }
        return port
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || nameCharacters.contains(byte)
    }

    private static let nameCharacters = Array("-._~".utf8)
}

/// Tells addresses from names.
enum IPAddress {
    /// Whether this is four numbers from 0 to 255 with dots between them.
    static func isVersion4(_ text: some Collection<UInt8>) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard part.count <= 3, let value = part.decimalValue else { return false }
                return value <= 255
            }
    }

    /// Whether this is an IPv6 address without brackets and zone, RFC 4291 §2.2.
    static func isVersion6(_ text: some Collection<UInt8>) -> Bool {
        let colon = UInt8(ascii: ":")
        var groups = text.split(separator: colon, omittingEmptySubsequences: false)
        guard groups.count >= 3 else { return false }
        // A `::` at either end leaves two empty groups there; one of them is the gap itself.
        if groups[0].isEmpty {
            guard groups[1].isEmpty else { return false }
            groups.removeFirst()
        }
        if groups[groups.count - 1].isEmpty {
            guard groups[groups.count - 2].isEmpty else { return false }
            groups.removeLast()
        }
        let gaps = groups.filter(\.isEmpty).count
        var length = groups.count - gaps
        if let last = groups.last, isVersion4(last) {
            groups.removeLast()
            length += 1
        }
        let areHexadecimal = groups.allSatisfy { group in
            group.count <= 4 && group.allSatisfy { $0.hexadecimalValue != nil }
        }
        return areHexadecimal && (gaps == 0 ? length == 8 : gaps == 1 && length < 8)
    }
}
