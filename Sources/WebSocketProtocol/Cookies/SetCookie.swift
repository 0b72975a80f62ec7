/// A cookie as a server set it, RFC 6265 §5.2.
struct SetCookie {
    var name: String
    var value: String
    var domain: String?
    var path: String?
    var isSecure = false
    /// Seconds since 1970; nil for as long as the program runs.
    var expiry: Int64?

    /// Precedent: 4096 bytes for name and value and 1024 for an attribute, as browsers have it.
    private static let maximumPairBytes = 4096
    private static let maximumAttributeBytes = 1024

    /// Parses the value of a `Set-Cookie` field received at `now`; nil if it sets none.
    init?(_ text: String, now: Int64) {
        guard text.utf8.allSatisfy(\.isFieldValueCharacter) else { return nil }
        var parts = Array(text.utf8)
            .split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)[...]
        guard let pair = parts.popFirst(), let equals = pair.firstIndex(of: UInt8(ascii: "="))
        else { return nil }
        name = String(decoding: pair[..<equals].trimmingBlanks, as: UTF8.self)
        value = String(decoding: pair[equals...].dropFirst().trimmingBlanks, as: UTF8.self)
        guard !name.isEmpty, name.utf8.count + value.utf8.count <= Self.maximumPairBytes else {
            return nil
        }
        var maximumAge: Int64?
        for part in parts {
            let name = part.prefix { $0 != UInt8(ascii: "=") }.trimmingBlanks
            let value = part.drop { $0 != UInt8(ascii: "=") }.dropFirst().trimmingBlanks
            guard value.count <= Self.maximumAttributeBytes else { continue }
            // The last of several attributes of a name counts.
            switch String(decoding: name.map(\.lowercased), as: UTF8.self) {
            case "expires": expiry = CookieDate.parse(value) ?? expiry
            case "max-age": maximumAge = Self.seconds(value) ?? maximumAge
            case "domain": domain = Self.domain(value)
            case "path": path = value.first == UInt8(ascii: "/") ? Self.text(value) : nil
            case "secure": isSecure = true
            default: break
            }
        }
        // RFC 6265 §5.3: Max-Age has precedence over Expires.
        if let maximumAge {
            let (sum, overflowed) = now.addingReportingOverflow(maximumAge)
            expiry = maximumAge <= 0 ? .min : overflowed ? .max : sum
        }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    private static func domain(_ value: ArraySlice<UInt8>) -> String? {
        let name = value.first == UInt8(ascii: ".") ? value.dropFirst() : value
        return name.isEmpty ? nil : text(name).asciiLowercased
    }

    /// An optional minus and digits; what doesn't fit is as good as for ever.
    private static func seconds(_ value: ArraySlice<UInt8>) -> Int64? {
        let isNegative = value.first == UInt8(ascii: "-")
        let digits = isNegative ? value.dropFirst() : value
        guard !digits.isEmpty, digits.allSatisfy(\.isDigit) else { return nil }
        return isNegative ? 0 : Int64(digits.decimalValue ?? .max)
    }
}
