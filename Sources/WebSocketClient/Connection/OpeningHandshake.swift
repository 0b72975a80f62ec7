import WebSocketProtocol

/// What a server agreed to, and the stream behind it.
struct OpenedStream {
    var stream: any ByteStream
    var response: HandshakeResponse
    var negotiated: Negotiated
    /// What arrived together with the handshake: the first frames.
    var rest: [UInt8]
}

/// The opening handshake over a stream (RFC 6455 §4.1), redirects included.
struct OpeningHandshake {
    private let options: ConnectOptions
    private let wakeUp: WakeUp
    private let deadline: Deadline
    private let connector: StreamConnector
    /// A socket that the caller has brought.
    private let ownSocket: Socket?

    init(
        options: ConnectOptions,
        socket: Socket? = nil,
        wakeUp: WakeUp,
        connector: @escaping StreamConnector
    ) {
        self.options = options
        self.wakeUp = wakeUp
        self.connector = connector
        ownSocket = socket
        deadline = Deadline(options.timeouts.open)
    }

    /// Whether the caller has chosen the way to the server: then a redirect leads nowhere.
    private var hasFixedWay: Bool { ownSocket != nil || options.unixSocketPath != nil }

    /// Connects, follows redirects, and returns the stream that speaks WebSocket.
    func open(_ url: WebSocketURL) throws(WebSocketError) -> OpenedStream {
        let policy = RedirectPolicy(
            limit: hasFixedWay ? 0 : options.redirectLimit,
            allowsDowngrade: options.allowsInsecureRedirects
        )
        var url = url
        var choices = options
        var followed = 0
        while true {
            let request = try makeRequest(url, choices)
            let stream = try connect(url, choices.tls)
            let limit = deadline.earlier(Deadline(options.timeouts.handshake))
            let head = request.encode()
            if Tracing.isEnabled { Tracing.request(request, to: url) }
            do throws(TransportError) {
                try write(head, to: stream, until: limit)
            } catch {
                throw WebSocketError(error, during: .handshake)
            }
            let (response, rest) = try readResponse(from: stream, until: limit)
            if Tracing.isEnabled { Tracing.response(response) }
            options.cookieJar?.store(response.headers, from: url)
            do throws(RedirectFailure) {
                if let redirect = try policy.redirect(
                    from: url,
                    by: response,
                    followed: followed
                ) {
                    url = redirect.url
                    followed += 1
                    if redirect.crossesOrigin { choices.dropCredentials() }
                    continue
                }
            } catch {
                throw .handshakeFailed(.redirect(error))
            }
            guard response.statusCode == 101 else { throw .badStatus(response) }
            do throws(HandshakeFailure) {
                let negotiated = try request.negotiate(response, digest: SHA1.digest)
                return OpenedStream(
                    stream: stream,
                    response: response,
                    negotiated: negotiated,
                    rest: rest
                )
            } catch {
                throw .handshakeFailed(error)
            }
        }
    }

    private func makeRequest(
        _ url: WebSocketURL,
        _ options: ConnectOptions
    ) throws(WebSocketError) -> HandshakeRequest {
        var choices = HandshakeRequest.Options()
        choices.host = options.host.fieldChoice
        choices.origin = options.origin.fieldChoice
        choices.connection = options.connection
        choices.subprotocols = options.subprotocols
        choices.requiresSubprotocol = options.requiresSubprotocol
        choices.fields = options.headers
        let cookies = [options.cookieJar?.cookieHeader(for: url), options.cookie].compactMap(\.self)
        choices.cookie = cookies.isEmpty ? nil : cookies.joined(separator: "; ")
        choices.deflate = options.compression
        let key = try randomKey()
        do throws(InvalidHandshakeRequest) {
            return try HandshakeRequest(url: url, key: key, options: choices)
        } catch {
            throw .invalidArgument(error.description)
        }
    }

    private func proxy(for url: WebSocketURL) throws(WebSocketError) -> Proxy? {
        switch options.proxy {
        case .none:
            return nil
        case .proxy(let proxy):
            let bypasses = ProxyEnvironment.bypasses(
                host: url.host,
                port: url.port,
                noProxy: options.noProxy
            )
            return bypasses ? nil : proxy
        case .environment:
            do throws(TransportError) {
                return try ProxyEnvironment.proxy(
                    isSecure: url.isSecure,
                    host: url.host,
                    port: url.port,
                    noProxy: options.noProxy
                )
            } catch {
                throw WebSocketError(error, during: .connecting)
            }
        }
    }

    private func connect(
        _ url: WebSocketURL,
        _ tls: TLSOptions
    ) throws(WebSocketError) -> any ByteStream {
        let target: ConnectTarget
        if let ownSocket {
            target = .adopted(ownSocket)
        } else if let path = options.unixSocketPath {
            target = .unix(path: path)
        } else {
            target = .host(url.host, port: url.port)
        }
        var plan = ConnectPlan(target: target, serverName: url.host)
        if case .host = target { plan.proxy = try proxy(for: url) }
        if url.isSecure, ownSocket == nil { plan.tls = tls }
        plan.socketOptions = options.socketOptions
        plan.deadline = deadline
        plan.connectTimeout = options.timeouts.connect
        plan.proxyTimeout = options.timeouts.proxy
        plan.tlsTimeout = options.timeouts.tls
        if Tracing.isEnabled {
            let way = plan.proxy.map { " through \($0)" } ?? ""
            Tracing.log("Connecting to \(url.host) port \(url.port)\(way)")
        }
        do throws(TransportError) {
            return try connector(plan, wakeUp)
        } catch {
            throw WebSocketError(error, during: .connecting)
        }
    }
}

extension OpeningHandshake {
    private func randomKey() throws(WebSocketError) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: 16)
        let result = key.withUnsafeMutableBytes { bytes in
            Result { () throws(TransportError) in try RandomBytes.fill(bytes) }
        }
        if case .failure(let error) = result { throw WebSocketError(error, during: .handshake) }
        return key
    }

    private func write(
        _ bytes: [UInt8],
        to stream: any ByteStream,
        until deadline: Deadline
    ) throws(TransportError) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(TransportError) in
                var position = 0
                while position < bytes.count {
                    switch try stream.write(UnsafeRawBufferPointer(rebasing: bytes[position...])) {
                    case .bytes(let count): position += count
                    case .wouldBlock(let interest): try stream.wait(for: interest, until: deadline)
                    case .endOfStream: throw TransportError.truncated
                    }
                }
            }
        }
        try result.get()
    }

    /// Reads the answer: of a refusal, as much of the body as arrives in time; what follows a 101 are
    /// frames.
    private func readResponse(
        from stream: any ByteStream,
        until deadline: Deadline
    ) throws(WebSocketError) -> (HandshakeResponse, rest: [UInt8]) {
        var decoder = HandshakeResponseDecoder()
        var rest: [UInt8] = []
        while !decoder.isComplete {
            do throws(WebSocketError) {
                guard let bytes = try read(from: stream, until: deadline) else {
                    try finish(&decoder)
                    break
                }
                let taken = try receive(bytes, &decoder)
                rest = Array(bytes[taken...])
            } catch {
                // Half of the words of a refusal are better than none.
                if case .aborted = error { throw error }
                if let response = decoder.response { return (response, []) }
                throw error
            }
        }
        guard let response = decoder.response else {
            throw .connectionClosed(
                ConnectionEnd(cause: "the server ended it during the handshake")
            )
        }
        return (response, rest)
    }

    private func receive(
        _ bytes: [UInt8],
        _ decoder: inout HandshakeResponseDecoder
    ) throws(WebSocketError) -> Int {
        do throws(MalformedHTTP) {
            return try decoder.receive(bytes)
        } catch {
            throw .handshakeFailed(.malformedResponse(error))
        }
    }

    private func finish(_ decoder: inout HandshakeResponseDecoder) throws(WebSocketError) {
        do throws(MalformedHTTP) {
            try decoder.finish()
        } catch {
            throw .connectionClosed(
                ConnectionEnd(cause: "the server ended it during the handshake")
            )
        }
    }

    /// What arrives next; `nil` at the end of the stream.
    private func read(
        from stream: any ByteStream,
        until deadline: Deadline
    ) throws(WebSocketError) -> [UInt8]? {
        var transfer = Transfer.endOfStream
        do throws(TransportError) {
            while true {
                var failure: TransportError?
                let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                    do throws(TransportError) {
                        transfer = try stream.read(into: UnsafeMutableRawBufferPointer(buffer))
                        if case .bytes(let read) = transfer { count = read }
                    } catch {
                        failure = error
                    }
                }
                if let failure { throw failure }
                switch transfer {
                case .bytes: return bytes
                case .endOfStream: return nil
                case .wouldBlock(let interest): try stream.wait(for: interest, until: deadline)
                }
            }
        } catch {
            throw WebSocketError(error, during: .handshake)
        }
    }
}

extension ConnectOptions {
    /// What was meant for one origin stays there.
    fileprivate mutating func dropCredentials() {
        headers = headers.withoutCredentials
        cookie = nil
        host = .automatic
        tls.clientCertificate = nil
    }
}

extension ConnectOptions.HeaderChoice {
    fileprivate var fieldChoice: HandshakeRequest.FieldChoice {
        switch self {
        case .automatic: .automatic
        case .custom(let value): .custom(value)
        case .omitted: .omitted
        }
    }
}
