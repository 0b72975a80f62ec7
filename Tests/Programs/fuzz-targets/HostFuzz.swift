import WebSocketProtocol

/// Hosts: an accepted one has the same meaning for every consumer.
enum HostFuzz {
    static func run(_ input: inout Input) throws(Finding) {
        let isSecond = input.byte() & 1 != 0
        let text = input.restAsText
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        guard let host = try host(parts.first ?? "") else { return }
        try check(host)
        guard isSecond, parts.count == 2, let other = try self.host(parts[1]) else { return }
        // A domain covers itself and names that end in it at a dot, and nothing else.
        if host.isAtOrBelow(other) {
            try require(host.tlsName.hasSuffix(other.tlsName), "\(host) isn't below \(other)")
            try require(!host.isAddress && !other.isAddress, "an address below something")
        }
    }

    private static func host(_ text: String) throws(Finding) -> Host? {
        try accepted { () throws(InvalidURL) in try Host(text) }
    }

    private static func check(_ host: Host) throws(Finding) {
        for text in [host.text, host.hostField, host.inURL, host.tlsName] {
            try require(
                !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) },
                "a form that can't be sent: \(text.debugDescription)"
            )
        }
        for text in [host.text, host.inURL] {
            try require(try self.host(text) == host, "\(text) is another host")
        }
        let url = try Sample.url("ws://\(host.inURL):8/")
        try require(url.place == host, "\(url) is another host")
        // Labels that getaddrinfo(3) reads as numbers make an address here too.
        let last = host.tlsName.split(separator: ".").last ?? ""
        let isNumber =
            last.utf8.allSatisfy { (0x30...0x39).contains($0) }
            || last.hasPrefix("0x")
                && last.dropFirst(2).allSatisfy(\.isHexDigit)
        try require(host.isAddress || !isNumber, "a name that is read as a number")
        try require(host.isAddress || !host.text.hasPrefix("."), "a name with a leading dot")
    }
}
