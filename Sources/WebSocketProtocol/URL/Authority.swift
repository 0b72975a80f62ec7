/// The part of a URL between `//` and the path: credentials, host and port, RFC 3986 §3.2.
package struct Authority {
    package var credentials: BasicCredentials?
    package var host: Host
    package var port: UInt16?

    package init(_ bytes: [UInt8]) throws(InvalidURL) {
        // RFC 3986 allows one `@`. With several, one program may take the first for the separator and
        // another the last, and they disagree about the host.
        let parts = bytes.split(
            separator: UInt8(ascii: "@"),
            omittingEmptySubsequences: false
        )
        guard parts.count <= 2, let hostAndPort = parts.last else {
            throw InvalidURL(.invalidUserInfo)
        }
        credentials = parts.count == 2 ? try Self.credentials(parts[0]) : nil
        let hostText: ArraySlice<UInt8>
        if hostAndPort.first == UInt8(ascii: "[") {
            guard let end = hostAndPort.firstIndex(of: UInt8(ascii: "]")) else {
                throw InvalidURL(.invalidHost)
            }
            hostText = hostAndPort[...end]
        } else {
            hostText = hostAndPort.prefix { $0 != UInt8(ascii: ":") }
        }
        host = try Host(inURL: hostText)
        port = try Self.port(hostAndPort.dropFirst(hostText.count))
    }

    private static func credentials(_ text: ArraySlice<UInt8>) throws(InvalidURL)
        -> BasicCredentials?
    {
        guard text.allSatisfy(isUserInfoCharacter) else { throw InvalidURL(.invalidUserInfo) }
        let user = text.prefix { $0 != UInt8(ascii: ":") }
        let password = text.dropFirst(user.count + 1)
        guard let user = percentDecoded(user), let password = percentDecoded(password) else {
            throw InvalidURL(.invalidUserInfo)
        }
        let credentials = BasicCredentials(user: user, password: password)
        guard credentials.isValid else { throw InvalidURL(.invalidUserInfo) }
        // `ws://@host/` and `ws://:@host/` contain no credentials.
        return user.isEmpty && password.isEmpty ? nil : credentials
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

    /// `userinfo`, RFC 3986 §3.2.1, and bytes beyond ASCII. With a backslash, a bracket or a blank
    /// here, two programs may disagree about where the host begins.
    private static func isUserInfoCharacter(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || byte >= 0x80 || userInfoCharacters.contains(byte)
    }

    private static let userInfoCharacters = Array("-._~%!$&'()*+,;=:".utf8)
}
