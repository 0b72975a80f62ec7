// A file that uses this package's client beside two frameworks that have a WebSocket of their own.

import Hummingbird
import Vapor
import WSClient

import struct WebSocketClient.ConnectOptions
import enum WebSocketClient.Message
import class WebSocketClient.WebSocket
import enum WebSocketClient.WebSocketError

func greet(_ url: String) throws -> Message {
    var options = ConnectOptions(timeout: .seconds(5))
    options.headers[.authorization] = "Bearer token"
    let socket = try WebSocket.connect(to: url, options: options)
    defer { socket.abort() }
    try socket.send("hello")
    return try socket.receive()
}

func isRefused(_ url: String) -> Bool {
    do {
        _ = try greet(url)
        return false
    } catch WebSocketError.connectFailed {
        return true
    } catch {
        return false
    }
}
