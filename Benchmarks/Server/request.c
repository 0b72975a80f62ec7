#define _GNU_SOURCE
#include "request.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The value of a header field in a request that ends in an empty line; false if there is none.
static bool find_field(const char *head, const char *name, char *value, size_t capacity) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) != 0 || line[length] != ':') continue;
        const char *start = line + length + 1 + strspn(line + length + 1, " ");
        snprintf(value, capacity, "%.*s", (int)strcspn(start, "\r"), start);
        return true;
    }
    return false;
}

static uint64_t find_number(const char *target, const char *name) {
    const char *found = strstr(target, name);
    return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

static bool parse_target(const char *head, request *r) {
    static const char *const names[] = {"/sink", "/source", "/echo", "/raw-sink", "/raw-echo"};
    char target[1024];
    if (sscanf(head, "GET %1023s HTTP/1.1", target) != 1) return false;
    size_t path = strcspn(target, "?");
    for (job job = SINK; job <= RAW_ECHO; job++) {
        if (strlen(names[job]) != path || strncmp(target, names[job], path) != 0) continue;
        *r = (request){.job = job, .count = find_number(target, "count="),
            .size = find_number(target, "size="), .bytes = find_number(target, "bytes="),
            .text = strstr(target, "type=text") != NULL, .deflate = strstr(target, "deflate=1") != NULL};
        return true;
    }
    return false;
}

static bool answer(stream *s, const char *head, request *r) {
    char key[128], offer[1024], accept[64], response[512];
    unsigned char digest[SHA_DIGEST_LENGTH];
    if (!find_field(head, "Sec-WebSocket-Key", key, 64)) return false;
    strcat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    SHA1((unsigned char *)key, strlen(key), digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);

    r->deflate = r->deflate && find_field(head, "Sec-WebSocket-Extensions", offer, sizeof offer) &&
        strstr(offer, "permessage-deflate");
    // The source compresses its message once, so it can't use what went before; everybody's client
    // may keep its own context.
    const char *extension = !r->deflate ? ""
        : r->job == SOURCE
        ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
        : "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    int length = snprintf(response, sizeof response,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n%s\r\n", accept, extension);
    return stream_write(s, response, (size_t)length);
}

bool request_accept(stream *s, request *r, char *rest, size_t *rest_size, size_t capacity) {
    char head[16384];
    size_t size = 0;
    char *end = NULL;
    while (end == NULL) {
        size_t count = stream_read(s, head + size, sizeof head - 1 - size);
        if (count == 0) return false;
        size += count;
        head[size] = 0;
        end = strstr(head, "\r\n\r\n");
    }
    *rest_size = size - (size_t)(end + 4 - head);
    if (*rest_size > capacity) return false;
    memcpy(rest, end + 4, *rest_size);
    end[2] = 0;
    return parse_target(head, r) && answer(s, head, r);
}
