#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool wait_until_ready(stream *s, short events) {
    if (s->spin) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
        return true;
    }
    struct pollfd entry = {.fd = s->fd, .events = events};
    return poll(&entry, 1, -1) >= 0 || errno == EINTR;
}

// Whether a TLS call that returned `result` may be made again; waits until it is time to.
static bool try_tls_again(stream *s, int result) {
    switch (SSL_get_error(s->tls, result)) {
    case SSL_ERROR_WANT_READ: return wait_until_ready(s, POLLIN);
    case SSL_ERROR_WANT_WRITE: return wait_until_ready(s, POLLOUT);
    default: ERR_clear_error(); return false;
    }
}

bool stream_open(stream *s, int fd, SSL_CTX *tls, bool spin) {
    *s = (stream){.fd = fd, .spin = spin};
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (tls == NULL) return true;
    s->tls = SSL_new(tls);
    if (s->tls == NULL || SSL_set_fd(s->tls, fd) != 1) return false;
    for (;;) {
        int result = SSL_accept(s->tls);
        if (result == 1) return true;
        if (!try_tls_again(s, result)) return false;
    }
}

void stream_close(stream *s) {
    if (s->tls) {
        SSL_shutdown(s->tls);
        SSL_free(s->tls);
    }
    close(s->fd);
}

size_t stream_read(stream *s, void *bytes, size_t size) {
    for (;;) {
        if (s->tls) {
            size_t count = 0;
            int result = SSL_read_ex(s->tls, bytes, size, &count);
            if (result == 1) return count;
            if (!try_tls_again(s, result)) return 0;
        } else {
            ssize_t count = recv(s->fd, bytes, size, 0);
            if (count >= 0) return (size_t)count;
            if (errno == EAGAIN && !wait_until_ready(s, POLLIN)) return 0;
            if (errno != EAGAIN && errno != EINTR) return 0;
        }
    }
}

bool stream_write(stream *s, const void *bytes, size_t size) {
    const char *next = bytes;
    while (size > 0) {
        size_t count = 0;
        if (s->tls) {
            int result = SSL_write_ex(s->tls, next, size, &count);
            if (result != 1 && !try_tls_again(s, result)) return false;
        } else {
            ssize_t sent = send(s->fd, next, size, MSG_NOSIGNAL);
            if (sent >= 0) count = (size_t)sent;
            else if (errno == EAGAIN && !wait_until_ready(s, POLLOUT)) return false;
            else if (errno != EAGAIN && errno != EINTR) return false;
        }
        next += count;
        size -= count;
    }
    return true;
}
