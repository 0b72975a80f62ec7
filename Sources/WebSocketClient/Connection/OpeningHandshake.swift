import WebSocketProtocol

/// The result of an opening handshake, and the stream.
struct OpenedStream {
    var stream: any ByteStream
    var log: ConnectionLog
    var response: HandshakeResponse
    var negotiated: HandshakeResult
    /// Bytes that arrived together with the handshake: the first frames.
    var rest: [UInt8]
}

/// The opening handshake over a stream (RFC 6455 §4.1), redirects included.
struct OpeningHandshake {
    private let options: ConnectOptions
    private let log: ConnectionLog
    private let wakeUp: WakeUp
    private let deadline: Deadline
    private let connector: StreamConnector
    /// A socket that the caller has brought.
    private let ownSocket: Socket?

    init(
        options: ConnectOptions,
        socket: Socket? = nil,
        log: ConnectionLog,
        wakeUp: WakeUp,
        connector: @escaping StreamConnector
    ) {
        self.options = options
        self.log = log
        self.wakeUp = wakeUp
        self.connector = connector
        ownSocket = socket
        deadline = Deadline(options.timeouts.open)
    }

    /// Whether the caller has chosen the way to the server: then redirects aren't followed.
    private var hasFixedWay: Bool { ownSocket != nil || options.unixSocketPath != nil }

    /// Connects, follows redirects, and returns the stream that speaks WebSocket.
    func open(_ url: WebSocketURL) throws(WebSocketError) -> OpenedStream {
        guard options.maximumControlDelay ?? .seconds(1) > .zero else {
            throw .invalidArgument("The maximum delay of control frames must be more than zero.")
        }
        var log = log
        let policy = RedirectPolicy(
            limit: hasFixedWay ? 0 : options.redirectLimit,
            allowsDowngrade: options.allowsInsecureRedirects
        )
        var url = url
        var bound = OriginBound(options)
        var followed = 0
        while true {
            let request = try makeRequest(url, bound)
            let stream = try connect(url, bound.tls, log)
            let limit = deadline.earlier(Deadline(options.timeouts.handshake))
            if Tracing.isEnabled { log.sent(request, to: url) }
            do throws(TransportError) {
                try stream.writeAll(request.encode(), until: limit)
            } catch {
                throw WebSocketError(error, during: .handshake)
            }
            let answer = try readHead(from: stream, until: limit)
            if Tracing.isEnabled { log.received(answer.response) }
            options.cookieJar?.store(answer.response.headers, from: url)
            do throws(RedirectFailure) {
                if let redirect = try policy.redirect(
                    from: url,
                    by: answer.response,
                    followed: followed
                ) {
                    url = redirect.url
                    log = log.redirected(to: url.host)
                    followed += 1
                    if redirect.crossesOrigin { bound.leaveOrigin() }
                    continue
                }
            } catch {
                throw .handshakeFailed(.redirect(error))
            }
            guard answer.response.statusCode == 101 else {
                throw .badStatus(try withBody(answer, from: stream, until: limit))
            }
            do throws(HandshakeFailure) {
                let negotiated = try request.negotiate(answer.response)
                return OpenedStream(
                    stream: stream,
                    log: log,
                    response: answer.response,
                    negotiated: negotiated,
                    rest: answer.rest
                )
            } catch {
                throw .handshakeFailed(error)
            }
        }
    }

    private func makeRequest(
        _ url: WebSocketURL,
        _ bound: OriginBound
    ) throws(WebSocketError) -> HandshakeRequest {
        var choices = HandshakeRequest.Options()
        choices.host = bound.host.fieldChoice
        choices.origin = options.origin.fieldChoice
        choices.connection = options.connection
        choices.subprotocols = bound.subprotocols
        choices.requiresSubprotocol = options.requiresSubprotocol
        choices.fields = bound.headers
        let cookies = [options.cookieJar?.cookieHeader(for: url), bound.cookie].compactMap(\.self)
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
                host: url.place,
                port: url.port,
                noProxy: options.noProxy
            )
            return bypasses ? nil : proxy
        case .environment:
            do throws(TransportError) {
                return try ProxyEnvironment.proxy(
                    isSecure: url.isSecure,
                    host: url.place,
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
        _ tls: TLSOptions,
        _ log: ConnectionLog
    ) throws(WebSocketError) -> any ByteStream {
        let target: ConnectTarget
        if let ownSocket {
            target = .adopted(ownSocket)
        } else if let path = options.unixSocketPath {
            target = .unix(path: path)
        } else {
            target = .host(url.place, port: url.port)
        }
        var plan = ConnectPlan(target: target, serverName: url.place)
        if case .host = target { plan.proxy = try proxy(for: url) }
        if url.isSecure, ownSocket == nil { plan.tls = tls }
        plan.socketOptions = options.socketOptions
        plan.deadline = deadline
        plan.connectTimeout = options.timeouts.connect
        plan.proxyTimeout = options.timeouts.proxy
        plan.tlsTimeout = options.timeouts.tls
        if Tracing.isEnabled { log.connecting(port: url.port, proxy: plan.proxy) }
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

    /// The head of an answer, with the bytes that arrived behind it: a part of the body, or the first
    /// frames.
    private struct Answer {
        var response: HandshakeResponse
        var decoder: HandshakeResponseDecoder
        var rest: [UInt8]
    }

    private func readHead(
        from stream: any ByteStream,
        until deadline: Deadline
    ) throws(WebSocketError) -> Answer {
        var decoder = HandshakeResponseDecoder(limits: HTTPLimits(options.limits))
        // A server that ends a connection without an answer most likely expects another protocol.
        var hint = stream.isSecure ? "" : "; it may expect TLS"
        while let bytes = try read(from: stream, until: deadline, hint: hint) {
            hint = ""
            let taken = try receive(bytes, &decoder)
            if let response = decoder.response {
                let rest = Array(bytes[taken...])
                return Answer(response: response, decoder: decoder, rest: rest)
            }
        }
        throw .connectionClosed(
            ConnectionEnd(cause: "the server ended it during the handshake\(hint)")
        )
    }

    /// How long to wait for the body of a refusal: it gives the reason, but a server may keep the
    /// connection open and not say where the body ends.
    private static let bodyGrace = Duration.seconds(1)

    /// The answer with as much of its body as arrives in time; half of the text is better than none.
    private func withBody(
        _ answer: Answer,
        from stream: any ByteStream,
        until deadline: Deadline
    ) throws(WebSocketError) -> HandshakeResponse {
        let deadline = deadline.earlier(.after(Self.bodyGrace))
        var decoder = answer.decoder
        do throws(WebSocketError) {
            while !decoder.isComplete {
                guard let bytes = try read(from: stream, until: deadline) else {
                    try finish(&decoder)
                    break
                }
                _ = try receive(bytes, &decoder)
            }
        } catch {
            if case .aborted = error { throw error }
        }
        return decoder.response ?? answer.response
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

    /// The next bytes to arrive; `nil` at the end of the stream. `hint` is added to the error of a
    /// reset.
    private func read(
        from stream: any ByteStream,
        until deadline: Deadline,
        hint: String = ""
    ) throws(WebSocketError) -> [UInt8]? {
        do throws(TransportError) {
            return try stream.readSome(atMost: 4096, until: deadline)
        } catch {
            let error = WebSocketError(error, during: .handshake)
            guard case .system(let call, let number, let text) = error else { throw error }
            throw .system(call: call, number: number, description: text + hint)
        }
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
