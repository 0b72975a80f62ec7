// Frames in and out, for the server's side.
#pragma once
#include "stream.h"
#include <stdint.h>

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { BUFFER_SIZE = 1 << 18, MAXIMUM_HEADER = 14 };

typedef struct {
    stream *stream;
    char *buffer; // BUFFER_SIZE bytes, of which start..<end are unread
    size_t start, end;
} reader;

typedef struct {
    uint8_t opcode;
    bool fin, rsv1;
    uint8_t key[4]; // zero when the frame is not masked
    uint64_t length;
} frame;

// Reads a header; false at the end of the stream.
bool frame_read_header(reader *r, frame *f);
// The next bytes of the payload, unread by this: at least one, at most `length`; NULL at the end.
char *frame_peek(reader *r, uint64_t length, size_t *count);
// Goes past `length` bytes without looking at them.
bool frame_skip(reader *r, uint64_t length);
// XORs with the key; `offset` is the place of the first byte in the payload.
void frame_unmask(const frame *f, uint64_t offset, char *bytes, size_t count);
// Writes a header of a final, unmasked frame; returns its size.
size_t frame_write_header(char *header, uint8_t first_byte, uint64_t length);
bool frame_send(stream *s, uint8_t opcode, const char *payload, size_t length);
// Answers a ping or a close, skips a pong; false after a close, or when the peer has gone.
bool frame_answer_control(reader *r, const frame *f);
