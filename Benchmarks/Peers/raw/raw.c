// What the machine can do without WebSocket: plain bytes over the same socket to the same server.
//
//   raw URL OP TYPE SIZE COUNT     one write(2) a message; `raw-large` writes 256 KiB at a time
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LARGE = 1 << 18 };

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) fail("send");
        bytes += sent;
        size -= (size_t)sent;
    }
}

// Reads and drops exactly `size` bytes.
static void read_all(int fd, char *buffer, uint64_t size) {
    while (size > 0) {
        ssize_t count = recv(fd, buffer, size < LARGE ? size : LARGE, 0);
        if (count <= 0) fail("recv");
        size -= (uint64_t)count;
    }
}

// Connects, and asks for the frameless twin of the path where there is one.
static int connect_to(const char *url) {
    char host[64], target[1024] = "/", request[2048], byte;
    int port = 80;
    if (sscanf(url, "ws://%63[^:/]:%d%1023s", host, &port, target) < 2) {
        fprintf(stderr, "raw: can't use %s\n", url);
        exit(2);
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bool twin = strncmp(target, "/sink", 5) == 0 || strncmp(target, "/echo", 5) == 0;
    int length = snprintf(request, sizeof request,
        "GET %s%s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        twin ? "/raw-" : "/", target + 1, host, port);
    write_all(fd, request, (size_t)length);
    for (int matched = 0; matched < 4; matched = byte == "\r\n\r\n"[matched] ? matched + 1 : 0)
        if (recv(fd, &byte, 1, 0) != 1) fail("handshake");
    return fd;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argument_count, char **arguments) {
    if (argument_count != 6) {
        fprintf(stderr, "raw URL send|recv|rtt binary|text SIZE COUNT\n");
        return 2;
    }
    const char *program = strrchr(arguments[0], '/');
    program = program ? program + 1 : arguments[0];
    bool large = strcmp(program, "raw-large") == 0;
    const char *operation = arguments[2], *type = arguments[3];
    uint64_t size = strtoull(arguments[4], NULL, 10), count = strtoull(arguments[5], NULL, 10);
    uint64_t total = size * count;
    char *buffer = calloc(1, (size > LARGE ? size : LARGE) + 1);
    double *times = calloc(count + 1, sizeof *times);
    int fd = connect_to(arguments[1]);

    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double start = now();
    if (strcmp(operation, "send") == 0) {
        uint64_t piece = large ? LARGE : size;
        for (uint64_t left = total; left > 0;) {
            uint64_t part = left < piece ? left : piece;
            write_all(fd, buffer, part);
            left -= part;
        }
        read_all(fd, buffer, 2);
        uint64_t length = (uint8_t)buffer[1];
        read_all(fd, buffer, length);
        if (strncmp(buffer, "done", 4) != 0) return 1;
    } else if (strcmp(operation, "recv") == 0) {
        write_all(fd, "\x81\x82\0\0\0\0go", 8);
        read_all(fd, buffer, count * (size + (size < 126 ? 2 : size < 65536 ? 4 : 10)));
    } else {
        for (uint64_t i = 0; i < count; i++) {
            double sent = now();
            write_all(fd, buffer, size);
            read_all(fd, buffer, size);
            times[i] = now() - sent;
        }
        qsort(times, count, sizeof *times, by_value);
    }
    double seconds = now() - start;
    getrusage(RUSAGE_SELF, &after);

    printf("{\"peer\":\"%s\",\"op\":\"%s\",\"type\":\"%s\",\"size\":%llu,\"count\":%llu,"
           "\"seconds\":%.6f,\"user_cpu\":%.6f,\"sys_cpu\":%.6f",
        program, operation, type, (unsigned long long)size, (unsigned long long)count, seconds,
        seconds_of(after.ru_utime) - seconds_of(before.ru_utime),
        seconds_of(after.ru_stime) - seconds_of(before.ru_stime));
    if (strcmp(operation, "rtt") == 0)
        printf(",\"p50_us\":%.2f,\"p99_us\":%.2f", times[count / 2] * 1e6,
            times[count * 99 / 100] * 1e6);
    printf("}\n");
    return 0;
}
