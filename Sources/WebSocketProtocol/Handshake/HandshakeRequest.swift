package import HTTPTypes

/// A client's opening handshake, RFC 6455 §4.1: made, checked and encoded before anything is sent.
package struct HandshakeRequest: Sendable {
    /// The value of a field that is normally derived from the URL.
    package enum FieldChoice: Sendable, Hashable {
        case automatic
        case custom(String)
        case omitted
    }

    package struct Options: Sendable {
        package var host = FieldChoice.automatic
        package var origin = FieldChoice.automatic
        /// The value of `Connection`, or the whole line, as in websocket-client.
        package var connection: String?
        package var subprotocols: [String] = []
        package var requiresSubprotocol = false
        package var deflate: DeflateOptions?
        /// A field with the name of a generated one replaces it.
        package var fields = HTTPFields()
        package var cookie: String?

        package init() {}
    }

    package let target: String
    package let fields: HTTPFields
    /// The key as it is sent.
    package let key: String
    package let subprotocols: [String]
    package let requiresSubprotocol: Bool
    package let deflate: DeflateOptions?

    /// Makes the request; `key` is 16 fresh random bytes.
    package init(
        url: WebSocketURL,
        key: [UInt8],
        options: Options = Options()
    ) throws(InvalidHandshakeRequest) {
        guard key.count == 16 else { throw .keyLength(key.count) }
        try Self.validate(options)
        self.target = url.resource
        self.key =
            options.fields[.secWebSocketKey] ?? Base64.encode(key)
        self.deflate = options.deflate
        self.requiresSubprotocol = options.requiresSubprotocol
        // Users of other clients may set the field by hand: it is an offer all the same.
        self.subprotocols =
            options.fields.contains(.secWebSocketProtocol)
            ? options.fields[values: .secWebSocketProtocol].flatMap(tokenList)
            : options.subprotocols
        self.fields = try Self.fields(
            url: url,
            key: self.key,
            subprotocols: options.subprotocols,
            options: options
        )
    }

    /// The bytes to send.
    package func encode() -> [UInt8] {
        var output = Array("GET \(target) HTTP/1.1\r\n".utf8)
        fields.encode(into: &output)
        return output
    }

    /// The fields in the order in which websocket-client sends them.
    private static func fields(
        url: WebSocketURL,
        key: String,
        subprotocols: [String],
        options: Options
    ) throws(InvalidHandshakeRequest) -> HTTPFields {
        var fields = HTTPFields()
        var custom = options.fields
        func add(_ name: HTTPField.Name, _ value: String?) {
            let own = custom[fields: name]
            custom[name] = nil
            if own.isEmpty, let value { fields.append(HTTPField(name: name, value: value)) }
            fields.append(contentsOf: own)
        }
        add(.upgrade, "websocket")
        add(.hostField, options.host.value(or: url.hostHeader))
        add(.origin, options.origin.value(or: url.origin))
        add(.secWebSocketKey, key)
        add(.secWebSocketVersion, "13")
        add(.connection, options.connection.map(connectionValue) ?? "Upgrade")
        add(.secWebSocketProtocol, subprotocols.isEmpty ? nil : subprotocols.joined(separator: ","))
        add(
            .secWebSocketExtensions,
            options.deflate?.offers.map(\.element.text).joined(separator: ", ")
        )
        if let credentials = url.credentials, !custom.contains(.authorization) {
            guard credentials.isValid else { throw .credentials }
            add(.authorization, credentials.fieldValue)
        }
        // RFC 6265 §5.4: "the user agent MUST NOT attach more than one Cookie header field".
        let cookies = custom[values: .cookie] + [options.cookie].compactMap(\.self)
        custom[.cookie] = nil
        fields.append(contentsOf: custom)
        add(.cookie, cookies.isEmpty ? nil : cookies.joined(separator: "; "))
        return fields
    }

    private static func connectionValue(_ text: String) -> String {
        let name = "Connection:"
        guard text[...].prefix(name.count).equalsIgnoringCase(name) else { return text }
        return text.dropFirst(name.count).trimmingBlanks
    }
}

extension HandshakeRequest.FieldChoice {
    fileprivate func value(or standard: String) -> String? {
        switch self {
        case .automatic: standard
        case .custom(let value): value
        case .omitted: nil
        }
    }
}

extension HandshakeRequest {
    /// Refuses values that could end a line early or be read differently.
    private static func validate(_ options: Options) throws(InvalidHandshakeRequest) {
        if case .custom(let host) = options.host { try validate(host: host) }
        if case .custom(let origin) = options.origin {
            guard !origin.isEmpty, isValidValue(origin) else { throw .origin }
        }
        guard isValidValue(options.connection ?? "") else { throw .connection }
        if let connection = options.connection {
            guard tokenList(connectionValue(connection)).contains(where: isUpgrade) else {
                throw .contradiction("Connection")
            }
        }
        guard isValidValue(options.cookie ?? "") else { throw .cookie }
        for (index, name) in options.subprotocols.enumerated() {
            // RFC 6455 §4.1: "The elements that comprise this value MUST be non-empty strings …
            // and MUST all be unique strings."
            let isRepeated = options.subprotocols[..<index].contains { $0.hasSameBytes(as: name) }
            guard name.utf8.isToken, !isRepeated else {
                throw .subprotocol(index: index)
            }
        }
        try options.deflate?.validate()
        for field in options.fields { try validate(field) }
        for name in singleNames where options.fields[values: name].count > 1 {
            throw .contradiction(name.rawName)
        }
        try validateGeneratedFields(options.fields)
    }

    /// Refuses the caller's fields that contradict the handshake.
    private static func validateGeneratedFields(
        _ fields: HTTPFields
    ) throws(InvalidHandshakeRequest) {
        let upgrades = fields[values: .upgrade]
        let connections = fields[values: .connection]
        let versions = fields[values: .secWebSocketVersion]
        let keys = fields[values: .secWebSocketKey]
        guard upgrades.allSatisfy({ $0.equalsIgnoringCase("websocket") }) else {
            throw .contradiction("Upgrade")
        }
        guard connections.isEmpty || connections.flatMap(tokenList).contains(where: isUpgrade)
        else {
            throw .contradiction("Connection")
        }
        guard versions.allSatisfy({ $0.hasSameBytes(as: "13") }) else {
            throw .contradiction("Sec-WebSocket-Version")
        }
        // RFC 6455 §4.1: 16 bytes in base64.
        guard keys.allSatisfy({ Base64.decode($0)?.count == 16 }) else {
            throw .contradiction("Sec-WebSocket-Key")
        }
    }

    private static func isUpgrade(_ token: String) -> Bool { token.equalsIgnoringCase("upgrade") }

    /// Fields that a request may have only once.
    private static let singleNames: [HTTPField.Name] = [
        .hostField, .origin, .upgrade, .secWebSocketKey, .secWebSocketVersion, .authorization,
    ]

    private static func validate(_ field: HTTPField) throws(InvalidHandshakeRequest) {
        let name = field.name.rawName
        guard field.hasSendableValue else { throw .fieldValue(name: name) }
        guard !reservedNames.contains(field.name) else { throw .reservedField(name) }
        if field.name == .hostField { try validate(host: field.value) }
    }

    private static func validate(host: String) throws(InvalidHandshakeRequest) {
        let isValid = host.utf8.allSatisfy { byte in
            byte.isLetter || byte.isDigit || hostPunctuation.contains(byte)
        }
        guard isValid, !host.isEmpty else { throw .host }
    }

    private static let hostPunctuation = Array("-._~%:[]".utf8)

    /// Extensions have to be offered through the options, or the connection couldn't read the frames;
    /// and the server would read a body as frames.
    private static let reservedNames: [HTTPField.Name] = [
        .secWebSocketExtensions, .secWebSocketAccept, .contentLength, .transferEncoding,
    ]

    private static func isValidValue(_ text: String) -> Bool {
        text.utf8.allSatisfy(\.isFieldValueCharacter)
    }
}
