import HTTPTypes
import WebSocketClient
import WebSocketProtocol

/// `Location` fields: the target of a redirect, and the fields that it may get.
enum LocationFuzz {
    private static let bases = [
        "wss://user:password@www.example.com/a/b?c", "ws://user:password@[::1]:81/",
        "ws://www.example.com/",
    ]

    static func run(_ input: inout Input) throws(Finding) {
        let choices = input.byte()
        let base = try Sample.url(bases[Int(choices & 3) % bases.count])
        var response = HandshakeResponse(statusCode: 302)
        for line in input.restAsText.split(separator: "\n", omittingEmptySubsequences: false) {
            guard let field = try? HTTPField(checking: "Location", String(line)) else { return }
            response.headers.append(field)
        }
        try requireEscaped(response.headers.redactedLines.split(separator: "\n").joined())
        let policy = RedirectPolicy(limit: 3, allowsDowngrade: choices & 4 != 0)
        let redirect = try accepted { () throws(RedirectFailure) in
            try policy.redirect(from: base, by: response, followed: 0)
        }
        guard case let redirect?? = redirect else { return }
        let isSame =
            redirect.url.place == base.place && redirect.url.port == base.port
            && redirect.url.isSecure == base.isSecure
        try require(redirect.crossesOrigin != isSame, "the wrong origin")
        try require(
            redirect.url.isSecure || !base.isSecure || policy.allowsDowngrade,
            "a downgrade"
        )
        try require(
            isSame || redirect.url.credentials != base.credentials || base.credentials == nil
                || response.headers[.location]?.contains("@") == true,
            "credentials go along"
        )
        let again = try Sample.url(redirect.url.description)
        try require(again.place == redirect.url.place, "another host when it is written")
    }
}
