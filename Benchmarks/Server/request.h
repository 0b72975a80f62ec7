// The opening handshake, and what its URL asks this server for:
//
//   /sink?count=N&size=S                 takes N messages of S bytes, then sends a text "done …"; with
//                                        size=0&bytes=B of any size, B bytes in all
//   /source?count=N&size=S&type=binary   waits for one message, then sends N messages
//   /echo                                returns every frame
//   /raw-sink?count=N&size=S             takes N × S bytes without frames, then sends a text "done …"
//   /raw-echo                            returns every byte
//
// With &deflate=1 it accepts permessage-deflate when that is offered.
#pragma once
#include "stream.h"
#include <stdint.h>

typedef enum { SINK, SOURCE, ECHO, RAW_SINK, RAW_ECHO } job;

typedef struct {
    job job;
    uint64_t count, size, bytes;
    bool text;
    bool deflate; // agreed
} request;

// Reads the request, answers it, and leaves what follows it in `rest`.
bool request_accept(stream *s, request *r, char *rest, size_t *rest_size, size_t capacity);
