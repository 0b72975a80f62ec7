// Bytes over a non-blocking socket, plain or TLS, with calls that wait.
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct {
    int fd;
    SSL *tls;  // NULL over plain TCP
    bool spin; // wait by trying again instead of sleeping, so that no peer pays for a wake-up
} stream;

// Takes over an accepted socket; false when the TLS handshake fails.
bool stream_open(stream *s, int fd, SSL_CTX *tls, bool spin);
void stream_close(stream *s);

// Reads at least one byte, at most `size`; 0 at the end of the stream or after an error.
size_t stream_read(stream *s, void *bytes, size_t size);
bool stream_write(stream *s, const void *bytes, size_t size);
