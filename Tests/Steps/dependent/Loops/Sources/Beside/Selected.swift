// As Ours.swift, with a module selector, which names the module wherever it is needed.

import Hummingbird
import Vapor
import WSClient
import WebSocketClient

#if compiler(>=6.3)
    func greetSelected(_ url: String) throws -> WebSocketClient::WebSocket.Message {
        let socket = try WebSocketClient::WebSocket.connect(to: url)
        defer { socket.abort() }
        try socket.send("hello")
        return try socket.receive()
    }
#endif
