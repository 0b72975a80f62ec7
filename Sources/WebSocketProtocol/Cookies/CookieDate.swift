/// The dates of `Expires`, in all forms that servers use, RFC 6265 §5.1.1.
package enum CookieDate {
    /// Seconds since 1970, or nil if the text isn't a date.
    package static func parse(_ text: some Collection<UInt8>) -> Int64? {
        var time: [Int]?
        var day: Int?
        var month: Int?
        var year: Int?
        for token in text.split(whereSeparator: isDelimiter) {
            if time == nil, let value = Self.time(token) {
                time = value
            } else if day == nil, let value = number(token, digits: 1...2) {
                day = value
            } else if month == nil, let value = Self.month(token) {
                month = value
            } else if year == nil, let value = number(token, digits: 2...4) {
                year = value
            }
        }
        guard let time, let day, let month, var year else { return nil }
        if (70...99).contains(year) { year += 1900 }
        if (0...69).contains(year) { year += 2000 }
        guard year >= 1601, time[0] <= 23, time[1] <= 59, time[2] <= 59,
            (1...length(ofMonth: month, year: year)).contains(day)
        else { return nil }
        return Int64(days(year: year, month: month, day: day)) * 86_400
            + Int64(time[0] * 3600 + time[1] * 60 + time[2])
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x09, 0x20...0x2F, 0x3B...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: false
        }
    }

    /// A number at the beginning of a token, with at most as many digits as given and no digit after it.
    private static func number(
        _ token: some Collection<UInt8>,
        digits: ClosedRange<Int>
    ) -> Int? {
        let text = token.prefix { $0.isDigit }
        return digits.contains(text.count) ? text.decimalValue : nil
    }

    private static func time(_ token: some Collection<UInt8>) -> [Int]? {
        let parts = token.split(
            separator: UInt8(ascii: ":"),
            maxSplits: 2,
            omittingEmptySubsequences: false
        )
        guard parts.count == 3, parts[0].allSatisfy(\.isDigit), parts[1].allSatisfy(\.isDigit)
        else { return nil }
        let values = parts.compactMap { number($0, digits: 1...2) }
        return values.count == 3 ? values : nil
    }

    private static func month(_ token: some Collection<UInt8>) -> Int? {
        let names = [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ]
        return names.firstIndex { $0.utf8.equalsIgnoringCase(token.prefix(3)) }.map { $0 + 1 }
    }

    private static func length(ofMonth month: Int, year: Int) -> Int {
        let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return switch month {
        case 2: isLeapYear ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 in the Gregorian calendar. Years begin in March, so that the leap day
    /// comes last and the first day of a month is a linear function of its number.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }
}
