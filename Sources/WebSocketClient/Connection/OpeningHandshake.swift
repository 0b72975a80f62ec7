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

    init(options: ConnectOptions, wakeUp: WakeUp) {
        self.options = options
        self.wakeUp = wakeUp
        deadline = Deadline(options.timeouts.open)
    }

    /// Connects, follows redirects, and returns the stream that speaks WebSocket.
    func open(_ url: WebSocketURL) throws(WebSocketError) -> OpenedStream {
        let request = try makeRequest(url)
        let stream = try connect(url)
        let limit = deadline.earlier(Deadline(options.timeouts.handshake))
        do throws(TransportError) {
            try write(request.encode(), to: stream, until: limit)
        } catch {
            throw WebSocketError(error, during: .handshake)
        }
        let (response, rest) = try readResponse(from: stream, until: limit)
        guard response.statusCode == 101 else { throw .badStatus(response) }
        let negotiated: Negotiated
        do throws(HandshakeFailure) {
            negotiated = try request.negotiate(response, digest: SHA1.digest)
        } catch {
            stream.abort()
            throw .handshakeFailed(error)
        }
        return OpenedStream(
            stream: stream,
            response: response,
            negotiated: negotiated,
            rest: rest
        )
    }

    private func makeRequest(_ url: WebSocketURL) throws(WebSocketError) -> HandshakeRequest {
        var choices = HandshakeRequest.Options()
        choices.host = options.host.fieldChoice
        choices.origin = options.origin.fieldChoice
        choices.connection = options.connection
        choices.subprotocols = options.subprotocols
        choices.requiresSubprotocol = options.requiresSubprotocol
        choices.fields = options.headers
        choices.cookie = options.cookie
        choices.deflate = options.compression
        let key = try randomKey()
        do throws(InvalidHandshakeRequest) {
            return try HandshakeRequest(url: url, key: key, options: choices)
        } catch {
            throw .invalidArgument(error.description)
        }
    }

    private func connect(_ url: WebSocketURL) throws(WebSocketError) -> any ByteStream {
        let target: ConnectTarget
        if let socket = options.socket {
            target = .adopted(descriptor: socket, closingAtEnd: true)
        } else if let path = options.unixSocketPath {
            target = .unix(path: path)
        } else {
            target = .host(url.host, port: url.port)
        }
        var plan = ConnectPlan(target: target, serverName: url.host)
        if url.isSecure, options.socket == nil { plan.tls = options.tls }
        plan.socketOptions = options.socketOptions
        plan.deadline = deadline
        plan.connectTimeout = options.timeouts.connect
        plan.proxyTimeout = options.timeouts.proxy
        plan.tlsTimeout = options.timeouts.tls
        do throws(TransportError) {
            return try Connector.connect(plan, wakeUp: wakeUp)
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

    /// Reads the answer's head and, of a refusal, the body; what follows a 101 are frames.
    private func readResponse(
        from stream: any ByteStream,
        until deadline: Deadline
    ) throws(WebSocketError) -> (HandshakeResponse, rest: [UInt8]) {
        var decoder = HTTPHeadDecoder<StatusLine>()
        while true {
            let bytes = try read(from: stream, until: deadline)
            guard let bytes else {
                throw .connectionClosed(
                    Closure(cause: "the server ended it during the handshake")
                )
            }
            let taken: Int
            do throws(MalformedHTTP) {
                taken = try decoder.receive(bytes)
            } catch {
                throw .handshakeFailed(.malformedResponse(error))
            }
            guard let head = decoder.head else { continue }
            let rest = Array(bytes[taken...])
            let response = HandshakeResponse(
                statusCode: head.startLine.statusCode,
                reasonPhrase: head.startLine.reasonPhrase,
                fields: head.fields
            )
            return (response, rest)
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

extension ConnectOptions.HeaderChoice {
    fileprivate var fieldChoice: HandshakeRequest.FieldChoice {
        switch self {
        case .automatic: .automatic
        case .custom(let value): .custom(value)
        case .omitted: .omitted
        }
    }
}
