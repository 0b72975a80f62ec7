import WebSocketAccel
import WebSocketClient

print(Accel.backend)
