#include "CWebSocketAccel.h"
