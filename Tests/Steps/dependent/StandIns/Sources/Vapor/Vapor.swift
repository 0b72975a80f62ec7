@_exported import WebSocketKit
