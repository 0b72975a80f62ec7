/// `-v`, as in websocket-client's wsdump: by itself, repeated, or with a number.
enum Verbosity {
    /// Replaces `-v N`, `-vN` and `--verbose=N` with `-v` repeated N times.
    static func spellOut(_ arguments: [String]) -> [String] {
        var result: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--":
                return result + [argument] + rest
            case "-v", "--verbose":
                if let level = rest.first.flatMap(level) {
                    rest.removeFirst()
                    result += Array(repeating: "-v", count: level)
                } else {
                    result.append("-v")
                }
            default:
                let value =
                    argument.hasPrefix("--verbose=")
                    ? argument.dropFirst(10) : argument.hasPrefix("-v") ? argument.dropFirst(2) : ""
                if let level = level(String(value)) {
                    result += Array(repeating: "-v", count: level)
                } else {
                    result.append(argument)
                }
            }
        }
        return result
    }

    private static func level(_ text: String) -> Int? {
        guard let level = Int(text), (0...9).contains(level) else { return nil }
        return level
    }
}
