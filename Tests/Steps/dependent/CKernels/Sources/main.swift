import WebSocketAccel
import WebSocketClient

print(WebSocketAccel.backend)
