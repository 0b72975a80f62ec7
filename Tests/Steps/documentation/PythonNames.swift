// swift-format-ignore-file
// Programs in the names of websocket-client and wsaccel, and what the compiler answers: checked with
// the compiler's own `-verify`, fix-its included (the column range and text in braces).

import WebSocketAccel
import WebSocketClient

func functions() throws {
    // expected-error@+1 {{'create_connection(_:timeout:)' has been renamed to 'createConnection(_:timeout:)'}} {{9-26=createConnection}}
    try create_connection("ws://localhost/", timeout: .seconds(5)).abort()
    // expected-error@+1 {{'setdefaulttimeout' has been replaced by property 'WebSocket.defaultTimeout'}} {{5-22=WebSocket.defaultTimeout}} {{22-23= = }} {{34-35=}}
    setdefaulttimeout(.seconds(5))
    // expected-error@+1 {{'getdefaulttimeout()' has been replaced by property 'WebSocket.defaultTimeout'}} {{9-26=WebSocket.defaultTimeout}} {{26-28=}}
    _ = getdefaulttimeout()
    // expected-error@+1 {{'set_reconnect' has been replaced by property 'WebSocketApp.defaultReconnection'}} {{5-18=WebSocketApp.defaultReconnection}} {{18-19= = }} {{38-39=}}
    set_reconnect(.every(.seconds(5)))
    // expected-error@+1 {{'DEFAULT_SOCKET_OPTION' has been renamed to 'SocketOption.defaults'}} {{9-30=SocketOption.defaults}}
    _ = DEFAULT_SOCKET_OPTION
    // expected-error@+1 {{'parse_url' has been replaced by 'WebSocketURL.init(_:)'}} {{13-22=WebSocketURL}}
    _ = try parse_url("ws://localhost/")
}

func types(
    // expected-error@+1 {{'ABNF' has been renamed to 'Frame'}} {{8-12=Frame}}
    _: ABNF,
    // expected-error@+1 {{'SimpleCookieJar' has been renamed to 'CookieJar'}} {{8-23=CookieJar}}
    _: SimpleCookieJar,
    // expected-error@+1 {{'WebSocketException' has been renamed to 'WebSocketError'}} {{8-26=WebSocketError}}
    _: WebSocketException,
    // expected-error@+1 {{'WebSocketProtocolException' has been renamed to 'WebSocketError.protocolViolation'}} {{8-34=WebSocketError.protocolViolation}}
    _: WebSocketProtocolException,
    // expected-error@+1 {{'WebSocketPayloadException' has been renamed to 'WebSocketError.invalidPayload'}} {{8-33=WebSocketError.invalidPayload}}
    _: WebSocketPayloadException,
    // expected-error@+1 {{'WebSocketConnectionClosedException' has been renamed to 'WebSocketError.connectionClosed'}} {{8-42=WebSocketError.connectionClosed}}
    _: WebSocketConnectionClosedException,
    // expected-error@+1 {{'WebSocketTimeoutException' has been renamed to 'WebSocketError.timedOut'}} {{8-33=WebSocketError.timedOut}}
    _: WebSocketTimeoutException,
    // expected-error@+1 {{'WebSocketProxyException' has been renamed to 'WebSocketError.proxy'}} {{8-31=WebSocketError.proxy}}
    _: WebSocketProxyException,
    // expected-error@+1 {{'WebSocketBadStatusException' has been renamed to 'WebSocketError.badStatus'}} {{8-35=WebSocketError.badStatus}}
    _: WebSocketBadStatusException,
    // expected-error@+1 {{'WebSocketAddressException' has been renamed to 'WebSocketError.addressNotFound'}} {{8-33=WebSocketError.addressNotFound}}
    _: WebSocketAddressException
) {}

func closeCodes() -> [CloseCode] {
    [
        // expected-error@+1 {{'STATUS_NORMAL' has been renamed to 'CloseCode.normalClosure'}} {{9-22=CloseCode.normalClosure}}
        STATUS_NORMAL,
        // expected-error@+1 {{'STATUS_GOING_AWAY' has been renamed to 'CloseCode.goingAway'}} {{9-26=CloseCode.goingAway}}
        STATUS_GOING_AWAY,
        // expected-error@+1 {{'STATUS_PROTOCOL_ERROR' has been renamed to 'CloseCode.protocolError'}} {{9-30=CloseCode.protocolError}}
        STATUS_PROTOCOL_ERROR,
        // expected-error@+1 {{'STATUS_UNSUPPORTED_DATA_TYPE' has been renamed to 'CloseCode.unsupportedData'}} {{9-37=CloseCode.unsupportedData}}
        STATUS_UNSUPPORTED_DATA_TYPE,
        // expected-error@+1 {{'STATUS_STATUS_NOT_AVAILABLE' has been renamed to 'CloseCode.noStatusReceived'}} {{9-36=CloseCode.noStatusReceived}}
        STATUS_STATUS_NOT_AVAILABLE,
        // expected-error@+1 {{'STATUS_ABNORMAL_CLOSED' has been renamed to 'CloseCode.abnormalClosure'}} {{9-31=CloseCode.abnormalClosure}}
        STATUS_ABNORMAL_CLOSED,
        // expected-error@+1 {{'STATUS_INVALID_PAYLOAD' has been renamed to 'CloseCode.invalidPayload'}} {{9-31=CloseCode.invalidPayload}}
        STATUS_INVALID_PAYLOAD,
        // expected-error@+1 {{'STATUS_POLICY_VIOLATION' has been renamed to 'CloseCode.policyViolation'}} {{9-32=CloseCode.policyViolation}}
        STATUS_POLICY_VIOLATION,
        // expected-error@+1 {{'STATUS_MESSAGE_TOO_BIG' has been renamed to 'CloseCode.messageTooBig'}} {{9-31=CloseCode.messageTooBig}}
        STATUS_MESSAGE_TOO_BIG,
        // expected-error@+1 {{'STATUS_INVALID_EXTENSION' has been renamed to 'CloseCode.mandatoryExtension'}} {{9-33=CloseCode.mandatoryExtension}}
        STATUS_INVALID_EXTENSION,
        // expected-error@+1 {{'STATUS_UNEXPECTED_CONDITION' has been renamed to 'CloseCode.internalError'}} {{9-36=CloseCode.internalError}}
        STATUS_UNEXPECTED_CONDITION,
        // expected-error@+1 {{'STATUS_SERVICE_RESTART' has been renamed to 'CloseCode.serviceRestart'}} {{9-31=CloseCode.serviceRestart}}
        STATUS_SERVICE_RESTART,
        // expected-error@+1 {{'STATUS_TRY_AGAIN_LATER' has been renamed to 'CloseCode.tryAgainLater'}} {{9-31=CloseCode.tryAgainLater}}
        STATUS_TRY_AGAIN_LATER,
        // expected-error@+1 {{'STATUS_BAD_GATEWAY' has been renamed to 'CloseCode.badGateway'}} {{9-27=CloseCode.badGateway}}
        STATUS_BAD_GATEWAY,
        // expected-error@+1 {{'STATUS_TLS_HANDSHAKE_ERROR' has been renamed to 'CloseCode.tlsHandshake'}} {{9-35=CloseCode.tlsHandshake}}
        STATUS_TLS_HANDSHAKE_ERROR,
    ]
}

func frames(_ frame: Frame) {
    // expected-error@+1 {{'OPCODE_CONT' has been renamed to 'Opcode.continuation'}} {{15-26=Opcode.continuation}}
    _ = Frame.OPCODE_CONT
    // expected-error@+1 {{'OPCODE_TEXT' has been renamed to 'Opcode.text'}} {{15-26=Opcode.text}}
    _ = Frame.OPCODE_TEXT
    // expected-error@+1 {{'OPCODE_BINARY' has been renamed to 'Opcode.binary'}} {{15-28=Opcode.binary}}
    _ = Frame.OPCODE_BINARY
    // expected-error@+1 {{'OPCODE_CLOSE' has been renamed to 'Opcode.close'}} {{15-27=Opcode.close}}
    _ = Frame.OPCODE_CLOSE
    // expected-error@+1 {{'OPCODE_PING' has been renamed to 'Opcode.ping'}} {{15-26=Opcode.ping}}
    _ = Frame.OPCODE_PING
    // expected-error@+1 {{'OPCODE_PONG' has been renamed to 'Opcode.pong'}} {{15-26=Opcode.pong}}
    _ = Frame.OPCODE_PONG
    // expected-error@+1 {{'OPCODES' has been renamed to 'Opcode.allCases'}} {{15-22=Opcode.allCases}}
    _ = Frame.OPCODES
    // expected-error@+1 {{'create_frame' is unavailable: Write Frame(opcode: opcode, payload: data, isFinal: true).}}
    _ = Frame.create_frame([], .text)
    // expected-error@+1 {{'fin' has been renamed to 'isFinal'}} {{15-18=isFinal}}
    _ = frame.fin
    // expected-error@+1 {{'data' has been renamed to 'payload'}} {{15-19=payload}}
    _ = frame.data
}

func sockets(_ ws: WebSocket) throws {
    // expected-error@+1 {{'recv()' has been renamed to 'receive()'}} {{16-20=receive}}
    _ = try ws.recv()
    // expected-error@+1 {{'recv_data(control_frame:)' has been renamed to 'receiveData(controlFrames:)'}} {{16-25=receiveData}}
    _ = try ws.recv_data()
    // expected-error@+1 {{'recv_data_frame(control_frame:)' has been renamed to 'receiveDataFrame(controlFrames:)'}} {{16-31=receiveDataFrame}} {{32-45=controlFrames}}
    _ = try ws.recv_data_frame(control_frame: true)
    // expected-error@+1 {{'recv_frame()' has been renamed to 'receiveFrame()'}} {{16-26=receiveFrame}}
    _ = try ws.recv_frame()
    // expected-error@+1 {{'send_text' has been renamed to 'send(_:)'}} {{12-21=send}}
    try ws.send_text("text")
    // expected-error@+1 {{'send_bytes' has been renamed to 'send(binary:)'}} {{12-22=send}} {{23-23=binary: }}
    try ws.send_bytes([1])
    // expected-error@+1 {{'send_binary' has been renamed to 'send(binary:)'}} {{12-23=send}} {{24-24=binary: }}
    try ws.send_binary([1])
    // expected-error@+1 {{'send_frame' has been renamed to 'send(frame:)'}} {{12-22=send}} {{23-23=frame: }}
    try ws.send_frame(Frame(text: "text"))
    // expected-error@+1 {{'send_close(status:reason:)' has been renamed to 'sendClose(code:reason:)'}} {{12-22=sendClose}} {{23-29=code}}
    try ws.send_close(status: .goingAway, reason: "reason")
    // expected-error@+1 {{'gettimeout()' has been replaced by 'timeout'}} {{12-22=timeout}} {{22-24=}}
    _ = ws.gettimeout()
    // expected-error@+1 {{'settimeout' has been replaced by 'timeout'}} {{8-18=timeout}} {{18-19= = }} {{30-31=}}
    ws.settimeout(.seconds(5))
    // expected-error@+1 {{'getsubprotocol()' has been replaced by 'subprotocol'}} {{12-26=subprotocol}} {{26-28=}}
    _ = ws.getsubprotocol()
    // expected-error@+1 {{'getstatus()' has been replaced by 'status'}} {{12-21=status}} {{21-23=}}
    _ = ws.getstatus()
    // expected-error@+1 {{'getheaders()' has been replaced by 'headers'}} {{12-22=headers}} {{22-24=}}
    _ = ws.getheaders()
    // expected-error@+1 {{'is_ssl()' has been replaced by 'isSecure'}} {{12-18=isSecure}} {{18-20=}}
    _ = ws.is_ssl()
    // expected-error@+1 {{'fileno()' has been replaced by 'fileDescriptor'}} {{12-18=fileDescriptor}} {{18-20=}}
    _ = ws.fileno()
    // expected-error@+1 {{'sock' has been renamed to 'fileDescriptor'}} {{12-16=fileDescriptor}}
    _ = ws.sock
    // expected-error@+1 {{'connected' has been renamed to 'isConnected'}} {{12-21=isConnected}}
    _ = ws.connected
    // expected-error@+1 {{'handshake_response' has been renamed to 'handshakeResponse'}} {{12-30=handshakeResponse}}
    _ = ws.handshake_response
    // expected-error@+1 {{'close_frame' has been renamed to 'closeFrame'}} {{12-23=closeFrame}}
    _ = ws.close_frame
    // expected-error@+1 {{'set_mask_key' is unavailable: Set ConnectOptions.maskingKey before connecting.}}
    ws.set_mask_key { 0 }
    // expected-error@+1 {{'get_mask_key' has been renamed to 'options.maskingKey'}} {{12-24=options.maskingKey}}
    _ = ws.get_mask_key
    // expected-error@+1 {{'fire_cont_frame' has been renamed to 'options.deliversFragments'}} {{12-27=options.deliversFragments}}
    _ = ws.fire_cont_frame
    // expected-error@+1 {{'sockopt' has been renamed to 'options.socketOptions'}} {{12-19=options.socketOptions}}
    _ = ws.sockopt
    // expected-error@+1 {{'sslopt' has been renamed to 'options.tls'}} {{12-18=options.tls}}
    _ = ws.sslopt
    // expected-error@+1 {{'skip_utf8_validation' is unavailable: Set ConnectOptions.validatesUTF8, which means the opposite.}}
    _ = ws.skip_utf8_validation
    // expected-error@+1 {{'enable_multithread' is unavailable: A WebSocket is safe to use from many threads, always.}}
    _ = ws.enable_multithread
}

func apps(_ app: WebSocketApp) throws {
    // expected-error@+1 {{'run_forever(ping_interval:ping_timeout:reconnect:)' has been renamed to 'runForever(pingInterval:pingTimeout:reconnect:)'}} {{13-24=runForever}}
    try app.run_forever()
    // expected-error@+1 {{'run_forever(ping_interval:ping_timeout:reconnect:)' has been renamed to 'runForever(pingInterval:pingTimeout:reconnect:)'}} {{13-24=runForever}} {{166:9-22=pingInterval}} {{166:38-50=pingTimeout}}
    try app.run_forever(
        ping_interval: .seconds(30), ping_timeout: .seconds(10), reconnect: .every(.seconds(5)))
    // expected-error@+1 {{'send_text' has been renamed to 'send(_:)'}} {{13-22=send}}
    try app.send_text("text")
    // expected-error@+1 {{'send_bytes' has been renamed to 'send(binary:)'}} {{13-23=send}} {{24-24=binary: }}
    try app.send_bytes([1])
    // expected-error@+1 {{'ready()' has been replaced by 'isConnected'}} {{13-18=isConnected}} {{18-20=}}
    _ = app.ready()
    // expected-error@+1 {{'sock' has been renamed to 'socket'}} {{13-17=socket}}
    _ = app.sock
    // expected-error@+1 {{'keep_running' has been renamed to 'isRunning'}} {{13-25=isRunning}}
    _ = app.keep_running
    // expected-error@+1 {{'has_errored' has been renamed to 'hasErrored'}} {{13-24=hasErrored}}
    _ = app.has_errored
    // expected-error@+1 {{'last_ping_tm' has been renamed to 'lastPing'}} {{13-25=lastPing}}
    _ = app.last_ping_tm
    // expected-error@+1 {{'last_pong_tm' has been renamed to 'lastPong'}} {{13-25=lastPong}}
    _ = app.last_pong_tm
    // expected-error@+1 {{'last_close_frame' has been renamed to 'lastCloseFrame'}} {{13-29=lastCloseFrame}}
    _ = app.last_close_frame
    // expected-error@+1 {{'ping_interval' is unavailable: Set keepalive, or runForever's arguments.}}
    _ = app.ping_interval
    // expected-error@+1 {{'ping_timeout' is unavailable: Set keepalive, or runForever's arguments.}}
    _ = app.ping_timeout
    // expected-error@+1 {{'ping_payload' is unavailable: Set keepalive, or runForever's arguments.}}
    _ = app.ping_payload
    // expected-error@+1 {{'on_open' has been renamed to 'onOpen'}} {{9-16=onOpen}}
    app.on_open = { _ in }
    // expected-error@+1 {{'on_reconnect' has been renamed to 'onReconnect'}} {{9-21=onReconnect}}
    app.on_reconnect = { _ in }
    // expected-error@+1 {{'on_message' has been renamed to 'onMessage'}} {{9-19=onMessage}}
    app.on_message = { _, _ in }
    // expected-error@+1 {{'on_data' has been renamed to 'onData'}} {{9-16=onData}}
    app.on_data = { _, _, _, _ in }
    // expected-error@+1 {{'on_cont_message' has been renamed to 'onContinuation'}} {{9-24=onContinuation}}
    app.on_cont_message = { _, _, _ in }
    // expected-error@+1 {{'on_error' has been renamed to 'onError'}} {{9-17=onError}}
    app.on_error = { _, _ in }
    // expected-error@+1 {{'on_close' has been renamed to 'onClose'}} {{9-17=onClose}}
    app.on_close = { _, _, _ in }
    // expected-error@+1 {{'on_ping' has been renamed to 'onPing'}} {{9-16=onPing}}
    app.on_ping = { _, _ in }
    // expected-error@+1 {{'on_pong' has been renamed to 'onPong'}} {{9-16=onPong}}
    app.on_pong = { _, _ in }
}

func acceleratorTypes(
    // expected-error@+1 {{'XorMaskerSimple' has been renamed to 'XORMasker'}} {{8-23=XORMasker}}
    _: XorMaskerSimple,
    // expected-error@+1 {{'XorMaskerNull' has been renamed to 'XORMaskerNull'}} {{8-21=XORMaskerNull}}
    _: XorMaskerNull,
    // expected-error@+1 {{'Utf8Validator' has been renamed to 'UTF8Validator'}} {{8-21=UTF8Validator}}
    _: Utf8Validator
) {}

func accelerator() throws {
    // expected-error@+1 {{'createXorMasker(_:len:)' has been renamed to 'createXORMasker(_:length:)'}} {{13-28=createXORMasker}}
    _ = try createXorMasker([1, 2, 3, 4])
    // expected-error@+1 {{'create_xor_masker(_:len:)' has been renamed to 'createXORMasker(_:length:)'}} {{13-30=createXORMasker}} {{45-48=length}}
    _ = try create_xor_masker([1, 2, 3, 4], len: 100)
}

func validator(_ validator: UTF8Validator) {
    // expected-error@+1 {{'i' has been renamed to 'index'}} {{19-20=index}}
    _ = validator.i
    // expected-error@+1 {{'UTF8_ACCEPT' has been renamed to 'accept'}} {{23-34=accept}}
    _ = UTF8Validator.UTF8_ACCEPT
    // expected-error@+1 {{'UTF8_REJECT' has been renamed to 'reject'}} {{23-34=reject}}
    _ = UTF8Validator.UTF8_REJECT
}

func types(_ ws: WebSocket, _ app: WebSocketApp, _ bytes: ArraySlice<UInt8>) throws {
    // expected-error@+1 {{'create_connection(_:timeout:)' is unavailable: Write createConnection(url, timeout: .seconds(5)).}}
    try create_connection("ws://localhost/", timeout: 5).abort()
    // expected-error@+1 {{'setdefaulttimeout' is unavailable: Write WebSocket.defaultTimeout = .seconds(5).}}
    setdefaulttimeout(5)
    // expected-error@+1 {{'set_reconnect' is unavailable: Write WebSocketApp.defaultReconnection = .every(.seconds(5)).}}
    set_reconnect(5)
    // expected-error@+1 {{'settimeout' is unavailable: Write timeout = .seconds(5).}}
    ws.settimeout(5)
    // expected-error@+1 {{'send' has been renamed to 'send(binary:)'}} {{17-17=binary: }}
    try ws.send(bytes)
    // expected-error@+1 {{'send_binary' has been renamed to 'send(binary:)'}} {{12-23=send}} {{24-24=binary: }}
    try ws.send_binary(bytes)
    // expected-error@+1 {{'send' has been renamed to 'send(_:opcode:)'}}
    try ws.send([1], .binary)
    // expected-error@+1 {{'send(_:opcode:)' is unavailable: Write send(text), or send(_:opcode:) with bytes.}}
    try ws.send("text", opcode: .text)
    // expected-error@+1 {{'send(text:)' has been renamed to 'send(_:)'}}
    try ws.send(text: "text")
    // expected-error@+1 {{'close' is unavailable: Write close(code: .normalClosure, reason: reason).}}
    try ws.close(1000, "bye")
    // expected-error@+1 {{'close(status:reason:)' is unavailable: Write close(code: .normalClosure, reason: reason).}}
    try ws.close(status: 1000, reason: "bye")
    // expected-error@+1 {{'send_close' is unavailable: Write sendClose(code: .normalClosure, reason: reason).}}
    try ws.send_close(1000, "bye")
    // expected-error@+1 {{'run_forever(ping_interval:ping_timeout:reconnect:)' is unavailable: Write runForever(pingInterval: .seconds(30), pingTimeout: .seconds(10)).}}
    try app.run_forever(ping_interval: 30, ping_timeout: 10)
    // expected-error@+1 {{'run_forever(reconnect:)' is unavailable: Write runForever(reconnect: .every(.seconds(5))).}}
    try app.run_forever(reconnect: 5)
    // expected-error@+1 {{'send' has been renamed to 'send(binary:)'}}
    try app.send(bytes)
    // expected-error@+1 {{'close(status:reason:)' is unavailable: Write close(code: .normalClosure, reason: reason).}}
    try app.close(status: 1000)
}

func headers(_ app: WebSocketApp, _ response: HandshakeResponse) {
    // expected-error@+1 {{'header' has been renamed to 'headers'}} {{13-19=headers}}
    _ = app.header
    // expected-error@+1 {{'fields' has been renamed to 'headers'}} {{18-24=headers}}
    _ = response.fields
    // expected-error@+1 {{'Header' has been renamed to 'RequestHeaders'}} {{25-31=RequestHeaders}}
    let _: WebSocketApp.Header = [:]
}

func formerNames(
    // expected-error@+1 {{'Closure' has been renamed to 'ConnectionEnd'}} {{8-15=ConnectionEnd}}
    _: Closure
) {
    var bytes: [UInt8] = [1, 2, 3]
    // expected-error@+1 {{'backend' has been renamed to 'Accel.backend'}} {{9-16=Accel.backend}}
    _ = backend
    // expected-error@+1 {{'mask(_:key:)' has been replaced by 'Accel.mask(_:key:)'}} {{5-9=Accel.mask}}
    mask(&bytes, key: [1, 2, 3, 4])
    // expected-error@+1 {{'isValidUTF8' has been replaced by 'Accel.isValidUTF8(_:)'}} {{9-20=Accel.isValidUTF8}}
    _ = isValidUTF8(bytes)
}

func reconnection(_ reconnection: Reconnection) -> Bool {
    // expected-error@+1 {{'shouldReconnect' is unavailable: Set chooseDelay, which returns nil to give up.}}
    reconnection.shouldReconnect == nil
}

func attempts(_ error: WebSocketError) -> String {
    guard case .connectFailed(_, let attempts) = error else { return "" }
    // expected-error@+1 {{'joined(separator:)' is unavailable: Join the description of each attempt.}}
    return attempts.joined(separator: ", ")
}
