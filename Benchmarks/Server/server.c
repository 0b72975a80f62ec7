// The other end of the client benchmarks: the same for every client, fast enough not to be what is
// measured.
//
//   bench-server [--spin] [--tls CERTIFICATE KEY]
//
// Listens on a free port of 127.0.0.1, prints it, and serves until it is killed. request.h has the
// URLs. What it sends are the bytes of $WSBENCH_DATA/<type>-<size>, or made ones.
#define _GNU_SOURCE
#include "frames.h"
#include "request.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

static SSL_CTX *tls;
static bool spin;

static bool send_verdict(
    stream *s, const request *r, uint64_t messages, uint64_t wrong, uint64_t bytes) {
    char text[120];
    bool right = messages == r->count && wrong == 0 && (r->bytes == 0 || bytes == r->bytes);
    int length = snprintf(text, sizeof text, "%s %llu messages, %llu of another size, %llu bytes",
        right ? "done" : "failed:", (unsigned long long)messages, (unsigned long long)wrong,
        (unsigned long long)bytes);
    return frame_send(s, TEXT, text, (size_t)length);
}

// Inflates a piece of a message and adds what comes out to `*size`.
static bool inflate_piece(z_stream *z, char *bytes, size_t count, uint64_t *size) {
    static _Thread_local char out[1 << 16];
    z->next_in = (Bytef *)bytes;
    z->avail_in = (uInt)count;
    do {
        z->next_out = (Bytef *)out;
        z->avail_out = sizeof out;
        int result = inflate(z, Z_SYNC_FLUSH);
        if (result != Z_OK && result != Z_BUF_ERROR) return false;
        *size += sizeof out - z->avail_out;
    } while (z->avail_in > 0 || z->avail_out == 0);
    return true;
}

static bool inflate_payload(reader *in, const frame *f, z_stream *z, uint64_t *size) {
    for (uint64_t offset = 0; offset < f->length;) {
        size_t count;
        char *piece = frame_peek(in, f->length - offset, &count);
        if (piece == NULL) return false;
        frame_unmask(f, offset, piece, count);
        if (!inflate_piece(z, piece, count, size)) return false;
        in->start += count;
        offset += count;
    }
    char tail[] = {0, 0, (char)0xFF, (char)0xFF};
    return !f->fin || inflate_piece(z, tail, sizeof tail, size);
}

static void sink(reader *in, const request *r) {
    z_stream z = {0};
    inflateInit2(&z, -15);
    uint64_t messages = 0, wrong = 0, size = 0, bytes = 0;
    bool compressed = false;
    frame f;
    while (messages < r->count && frame_read_header(in, &f)) {
        if (f.opcode >= CLOSE) {
            if (!frame_answer_control(in, &f)) break;
            continue;
        }
        if (f.opcode != CONTINUATION) compressed = f.rsv1;
        if (compressed) {
            if (!inflate_payload(in, &f, &z, &size)) break;
        } else {
            if (!frame_skip(in, f.length)) break;
            size += f.length;
        }
        if (!f.fin) continue;
        messages++;
        wrong += r->size > 0 && size != r->size;
        bytes += size;
        size = 0;
    }
    inflateEnd(&z);
    send_verdict(in->stream, r, messages, wrong, bytes);
}

static void raw_sink(reader *in, const request *r) {
    uint64_t size = r->count * r->size;
    bool complete = frame_skip(in, size);
    send_verdict(in->stream, r, complete ? r->count : 0, 0, size);
}

static char *make_payload(const request *r) {
    char *bytes = malloc(r->size + 1);
    char path[1024] = "";
    const char *folder = getenv("WSBENCH_DATA");
    if (folder)
        snprintf(path, sizeof path, "%s/%s-%llu", folder, r->text ? "text" : "binary",
            (unsigned long long)r->size);
    FILE *file = folder ? fopen(path, "rb") : NULL;
    size_t have = file ? fread(bytes, 1, r->size, file) : 0;
    if (file) fclose(file);
    for (size_t i = have; i < r->size; i++) bytes[i] = (char)(r->text ? 'a' + i % 26 : i % 251);
    return bytes;
}

// Compresses a whole message as RFC 7692 says; returns its size, at most `capacity`.
static size_t deflate_message(const char *bytes, size_t size, char *out, size_t capacity) {
    z_stream z = {0};
    deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)bytes;
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)capacity;
    deflate(&z, Z_SYNC_FLUSH);
    size_t produced = capacity - z.avail_out - 4;
    deflateEnd(&z);
    return produced;
}

static void source(reader *in, const request *r) {
    frame go;
    if (!frame_read_header(in, &go) || !frame_skip(in, go.length)) return;

    // Many copies of a small frame leave with one call.
    size_t capacity = r->size + r->size / 1000 + 1024;
    char *payload = make_payload(r), *packed = malloc(capacity);
    size_t size = r->size;
    if (r->deflate) {
        size = deflate_message(payload, size, packed, capacity);
        char *swap = payload;
        payload = packed;
        packed = swap;
    }
    char header[MAXIMUM_HEADER];
    uint8_t first_byte = 128 | (r->deflate ? 64 : 0) | (r->text ? TEXT : BINARY);
    size_t header_size = frame_write_header(header, first_byte, size);
    size_t frame_size = header_size + size;
    size_t copies = frame_size < BUFFER_SIZE ? BUFFER_SIZE / frame_size : 1;
    char *block = malloc(copies * frame_size);
    for (size_t i = 0; i < copies; i++) {
        memcpy(block + i * frame_size, header, header_size);
        memcpy(block + i * frame_size + header_size, payload, size);
    }
    for (uint64_t left = r->count; left > 0;) {
        uint64_t now = left < copies ? left : copies;
        if (!stream_write(in->stream, block, (size_t)now * frame_size)) break;
        left -= now;
    }
    free(block);
    free(payload);
    free(packed);
}

static void echo(reader *in) {
    enum { HEADROOM = MAXIMUM_HEADER };
    size_t capacity = 1 << 16;
    char *message = malloc(HEADROOM + capacity);
    frame f;
    while (frame_read_header(in, &f)) {
        if (f.opcode >= CLOSE) {
            if (!frame_answer_control(in, &f)) break;
            continue;
        }
        if (f.length > 1 << 28) break;
        if (f.length > capacity) {
            capacity = (size_t)f.length;
            free(message);
            message = malloc(HEADROOM + capacity);
        }
        for (uint64_t offset = 0; offset < f.length;) {
            size_t count;
            char *piece = frame_peek(in, f.length - offset, &count);
            if (piece == NULL) goto end;
            memcpy(message + HEADROOM + offset, piece, count);
            in->start += count;
            offset += count;
        }
        frame_unmask(&f, 0, message + HEADROOM, (size_t)f.length);
        char header[MAXIMUM_HEADER];
        size_t size = frame_write_header(header, (uint8_t)(f.fin << 7 | f.opcode), f.length);
        memcpy(message + HEADROOM - size, header, size);
        if (!stream_write(in->stream, message + HEADROOM - size, size + (size_t)f.length)) break;
    }
end:
    free(message);
}

static void raw_echo(reader *in) {
    for (;;) {
        size_t count;
        char *piece = frame_peek(in, BUFFER_SIZE, &count);
        if (piece == NULL || !stream_write(in->stream, piece, count)) return;
        in->start += count;
    }
}

static void *serve(void *argument) {
    stream s;
    reader in = {.stream = &s, .buffer = malloc(BUFFER_SIZE)};
    request r;
    if (stream_open(&s, (int)(intptr_t)argument, tls, spin) &&
        request_accept(&s, &r, in.buffer, &in.end, BUFFER_SIZE)) {
        switch (r.job) {
        case SINK: sink(&in, &r); break;
        case SOURCE: source(&in, &r); break;
        case ECHO: echo(&in); break;
        case RAW_SINK: raw_sink(&in, &r); break;
        case RAW_ECHO: raw_echo(&in); break;
        }
        frame f;
        while (r.job < ECHO && frame_read_header(&in, &f))
            if (f.opcode < CLOSE || !frame_answer_control(&in, &f)) break;
    }
    stream_close(&s);
    free(in.buffer);
    return NULL;
}

static int listen_on_loopback(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1024) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        perror("bench-server");
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--spin") == 0) {
            spin = true;
        } else if (strcmp(arguments[i], "--tls") == 0 && i + 2 < count) {
            tls = SSL_CTX_new(TLS_server_method());
            SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_AUTO_RETRY);
            // One cipher for everybody: clients differ in which they ask for first.
            SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256");
            if (SSL_CTX_use_certificate_chain_file(tls, arguments[i + 1]) != 1 ||
                SSL_CTX_use_PrivateKey_file(tls, arguments[i + 2], SSL_FILETYPE_PEM) != 1) {
                fprintf(stderr, "bench-server: can't use that certificate and key\n");
                return 1;
            }
            i += 2;
        } else {
            fprintf(stderr, "bench-server [--spin] [--tls CERTIFICATE KEY]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN); // OpenSSL writes with write(2)
    int listener = listen_on_loopback();
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;
        if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
}
