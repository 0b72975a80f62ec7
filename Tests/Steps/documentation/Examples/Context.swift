// Declarations that the documentation's examples use.

import WebSocketClient

let socket = WebSocket()
let token = "secret"
let urls = ["ws://127.0.0.1:1/"]
let prices = ["1.00", "1.01"]
let messages = ["one", "two"]

func makeSnapshot() -> [UInt8] { [1, 2, 3] }
