import Hummingbird
import Vapor
import WSClient

print(WebSocket.library, HTTPFields.library, WSClient.WebSocketClient.library, separator: ", ")
print("nothing listens: \(isRefused("ws://127.0.0.1:1/"))")
