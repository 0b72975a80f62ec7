#include "frames.h"

#include <string.h>

// Makes at least `count` bytes readable; count is small.
static bool fill(reader *r, size_t count) {
    while (r->end - r->start < count) {
        if (BUFFER_SIZE - r->start < MAXIMUM_HEADER + 125) {
            memmove(r->buffer, r->buffer + r->start, r->end - r->start);
            r->end -= r->start;
            r->start = 0;
        }
        if (r->start == r->end) r->start = r->end = 0;
        size_t read = stream_read(r->stream, r->buffer + r->end, BUFFER_SIZE - r->end);
        if (read == 0) return false;
        r->end += read;
    }
    return true;
}

bool frame_read_header(reader *r, frame *f) {
    if (!fill(r, 2)) return false;
    const uint8_t *bytes = (const uint8_t *)r->buffer + r->start;
    uint8_t first = bytes[0], second = bytes[1];
    size_t extended = (second & 127) == 127 ? 8 : (second & 127) == 126 ? 2 : 0;
    size_t size = 2 + extended + (second & 128 ? 4 : 0);
    if (!fill(r, size)) return false;
    bytes = (const uint8_t *)r->buffer + r->start + 2;
    uint64_t length = extended ? 0 : second & 127;
    for (size_t i = 0; i < extended; i++) length = length << 8 | bytes[i];
    *f = (frame){.opcode = first & 15, .fin = first >> 7, .rsv1 = first >> 6 & 1, .length = length};
    if (second & 128) memcpy(f->key, bytes + extended, 4);
    r->start += size;
    return true;
}

char *frame_peek(reader *r, uint64_t length, size_t *count) {
    if (!fill(r, 1)) return NULL;
    size_t available = r->end - r->start;
    *count = length < available ? (size_t)length : available;
    return r->buffer + r->start;
}

bool frame_skip(reader *r, uint64_t length) {
    for (;;) {
        size_t available = r->end - r->start;
        if (length <= available) {
            r->start += length;
            return true;
        }
        length -= available;
        r->start = r->end = 0;
        r->end = stream_read(r->stream, r->buffer, BUFFER_SIZE);
        if (r->end == 0) return false;
    }
}

void frame_unmask(const frame *f, uint64_t offset, char *bytes, size_t count) {
    uint8_t key[8];
    for (size_t i = 0; i < 8; i++) key[i] = f->key[(offset + i) & 3];
    uint64_t wide, word;
    memcpy(&wide, key, 8);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        memcpy(&word, bytes + i, 8);
        word ^= wide;
        memcpy(bytes + i, &word, 8);
    }
    for (; i < count; i++) bytes[i] ^= key[i & 7];
}

size_t frame_write_header(char *header, uint8_t first_byte, uint64_t length) {
    size_t extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
    header[0] = (char)first_byte;
    header[1] = (char)(extended == 0 ? length : extended == 2 ? 126 : 127);
    for (size_t i = 0; i < extended; i++)
        header[2 + i] = (char)(length >> 8 * (extended - 1 - i));
    return 2 + extended;
}

bool frame_send(stream *s, uint8_t opcode, const char *payload, size_t length) {
    char header[MAXIMUM_HEADER + 125];
    size_t size = frame_write_header(header, 128 | opcode, length);
    if (length > 125) return stream_write(s, header, size) && stream_write(s, payload, length);
    memcpy(header + size, payload, length);
    return stream_write(s, header, size + length);
}

bool frame_answer_control(reader *r, const frame *f) {
    if (f->length > 125 || !fill(r, (size_t)f->length)) return false;
    char payload[125];
    memcpy(payload, r->buffer + r->start, (size_t)f->length);
    r->start += (size_t)f->length;
    frame_unmask(f, 0, payload, (size_t)f->length);
    if (f->opcode == PONG) return true;
    bool closing = f->opcode == CLOSE;
    return frame_send(r->stream, closing ? CLOSE : PONG, payload, (size_t)f->length) && !closing;
}
