/// A cookie as a server set it, RFC 6265 §5.2. Names, values and paths are compared as bytes.
struct SetCookie {
    var name: [UInt8]
    var value: [UInt8]
    /// The `Domain` attribute, without a leading dot; `nil` without one.
    var domain: String?
    var path: [UInt8]?
    var isSecure = false
    /// Seconds since 1970; nil for as long as the program runs.
    var expiry: Int64?

    /// The limits of browsers: 4096 bytes for name and value, and 1024 for an attribute.
    private static let maximumPairBytes = 4096
    private static let maximumAttributeBytes = 1024

    /// Parses the value of a `Set-Cookie` field received at `now`; nil if it sets none.
    init?(_ text: String, now: Int64) {
        guard text.utf8.allSatisfy(\.isFieldValueCharacter) else { return nil }
        var parts = Array(text.utf8)
            .split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)[...]
        guard let pair = parts.popFirst(), let equals = pair.firstIndex(of: UInt8(ascii: "="))
        else { return nil }
        name = Array(pair[..<equals].trimmingBlanks)
        value = Array(pair[equals...].dropFirst().trimmingBlanks)
        guard !name.isEmpty, name.count + value.count <= Self.maximumPairBytes else { return nil }
        var maximumAge: Int64?
        for part in parts {
            let name = part.prefix { $0 != UInt8(ascii: "=") }.trimmingBlanks
            let value = part.drop { $0 != UInt8(ascii: "=") }.dropFirst().trimmingBlanks
            guard value.count <= Self.maximumAttributeBytes else { continue }
            // Of several attributes with one name, the last counts.
            if name.equalsIgnoringCase("expires".utf8) {
                expiry = CookieDate.parse(value) ?? expiry
            } else if name.equalsIgnoringCase("max-age".utf8) {
                maximumAge = Self.seconds(value) ?? maximumAge
            } else if name.equalsIgnoringCase("domain".utf8) {
                domain = Self.domain(value)
            } else if name.equalsIgnoringCase("path".utf8) {
                path = value.first == UInt8(ascii: "/") ? Array(value) : nil
            } else if name.equalsIgnoringCase("secure".utf8) {
                isSecure = true
            }
        }
        // RFC 6265 §5.3: Max-Age has precedence over Expires.
        if let maximumAge {
            let (sum, overflowed) = now.addingReportingOverflow(maximumAge)
            expiry = maximumAge <= 0 ? .min : overflowed ? .max : sum
        }
    }

    private static func domain(_ value: ArraySlice<UInt8>) -> String? {
        let name = value.first == UInt8(ascii: ".") ? value.dropFirst() : value
        return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
    }

    /// An optional minus and digits; a number that doesn't fit never expires.
    private static func seconds(_ value: ArraySlice<UInt8>) -> Int64? {
        let isNegative = value.first == UInt8(ascii: "-")
        let digits = isNegative ? value.dropFirst() : value
        guard !digits.isEmpty, digits.allSatisfy(\.isDigit) else { return nil }
        return isNegative ? 0 : Int64(digits.decimalValue ?? .max)
    }
}
