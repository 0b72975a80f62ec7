@_exported public import WebSocketProtocol
