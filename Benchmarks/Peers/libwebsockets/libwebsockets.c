// libwebsockets' client: a message for each writable callback, as its documentation has it.
//
//   libwebsockets URL send|recv|rtt binary|text SIZE COUNT
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static struct {
    const char *operation, *type;
    size_t size, remaining, count, received, cut;
    unsigned char *payload; // LWS_PRE bytes of room lie before it
    double *times, start, sent;
    struct rusage before;
    bool announces, done;
} job;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static void fail(const char *reason) {
    fprintf(stderr, "libwebsockets: %s\n", reason);
    exit(1);
}

static void finish(void) {
    double elapsed = now() - job.start;
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    printf("{\"peer\":\"libwebsockets\",\"op\":\"%s\",\"type\":\"%s\",\"size\":%zu,\"count\":%zu,"
           "\"seconds\":%.6f,\"user_cpu\":%.6f,\"sys_cpu\":%.6f",
        job.operation, job.type, job.size, job.count, elapsed,
        seconds(after.ru_utime) - seconds(job.before.ru_utime),
        seconds(after.ru_stime) - seconds(job.before.ru_stime));
    if (job.operation[1] == 't') {
        qsort(job.times, job.count, sizeof *job.times, compare);
        printf(",\"p50_us\":%.2f,\"p99_us\":%.2f", job.times[job.count / 2] * 1e6,
            job.times[job.count * 99 / 100] * 1e6);
    }
    puts("}");
    fflush(stdout);
    job.done = true;
}

static int write_message(struct lws *socket) {
    enum lws_write_protocol kind = *job.type == 't' ? LWS_WRITE_TEXT : LWS_WRITE_BINARY;
    if (job.announces) {
        unsigned char go[LWS_PRE + 2];
        memcpy(go + LWS_PRE, "go", 2);
        job.announces = false;
        return lws_write(socket, go + LWS_PRE, 2, LWS_WRITE_TEXT) < 0 ? -1 : 0;
    }
    // It masks where the payload lies, with a key of its own each time; masked bytes are no text.
    static unsigned char *room;
    if (!room) room = malloc(LWS_PRE + job.size);
    memcpy(room + LWS_PRE, job.payload, job.size);
    if (*job.operation == 'r') job.sent = now();
    if (lws_write(socket, room + LWS_PRE, job.size, kind) < 0) return -1;
    if (*job.operation == 's' && --job.remaining > 0) lws_callback_on_writable(socket);
    return 0;
}

static int received(struct lws *socket, const char *bytes, size_t count) {
    job.received += count;
    if (*job.operation == 's') {
        if (count < 4 || memcmp(bytes, "done", 4) != 0) fail("the server says something else than done");
        finish();
        return -1;
    }
    if (!lws_is_final_fragment(socket) || lws_remaining_packet_payload(socket)) return 0;
    if (job.received != job.size) fail("received another size");
    job.received = 0;
    bool trips = job.operation[1] == 't';
    if (trips) job.times[job.count - job.remaining] = now() - job.sent;
    if (--job.remaining == 0) {
        finish();
        return -1;
    }
    if (trips) lws_callback_on_writable(socket);
    return 0;
}

static int callback(
    struct lws *socket, enum lws_callback_reasons reason, void *user, void *bytes, size_t count) {
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        getrusage(RUSAGE_SELF, &job.before);
        job.start = now();
        lws_callback_on_writable(socket);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE: return write_message(socket);
    case LWS_CALLBACK_CLIENT_RECEIVE: return received(socket, bytes, count);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: fail(bytes ? bytes : "can't connect"); return -1;
    case LWS_CALLBACK_CLIENT_CLOSED:
        if (!job.done) fail("the connection ended early");
        return 0;
    default: return 0;
    }
}

int main(int count, char **arguments) {
    if (count != 6) {
        fputs("libwebsockets URL send|recv|rtt binary|text SIZE COUNT\n", stderr);
        return 2;
    }
    job.operation = arguments[2], job.type = arguments[3];
    job.size = strtoull(arguments[4], NULL, 10);
    job.remaining = job.count = strtoull(arguments[5], NULL, 10);
    // "recv" and "rtt" differ in their second letter.
    job.announces = strcmp(job.operation, "recv") == 0;
    job.times = calloc(job.count, sizeof *job.times);
    job.payload = malloc(job.size);
    const char *folder = getenv("WSBENCH_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-%zu", folder ? folder : ".", job.type, job.size);
    FILE *file = folder ? fopen(path, "rb") : NULL;
    if (!file || fread(job.payload, 1, job.size, file) != job.size)
        fail("no payload of that size in WSBENCH_DATA");

    const char *scheme, *host, *target;
    int port;
    if (lws_parse_uri(arguments[1], &scheme, &host, &port, &target)) fail("can't use the URL");
    char path_from_root[4096];
    snprintf(path_from_root, sizeof path_from_root, "/%s", target);

    lws_set_log_level(0, NULL);
    struct lws_protocols protocols[] = {
        {.name = "bench", .callback = callback, .rx_buffer_size = 1 << 16}, {.name = NULL}};
    struct lws_context_creation_info creation = {.port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .pt_serv_buf_size = 1 << 16,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_VALIDATE_UTF8};
    struct lws_context *context = lws_create_context(&creation);
    struct lws_client_connect_info connection = {.context = context,
        .address = host,
        .host = host,
        .port = port,
        .path = path_from_root,
        .local_protocol_name = "bench",
        .ssl_connection = strcmp(scheme, "wss") == 0
            ? LCCSCF_USE_SSL | LCCSCF_ALLOW_SELFSIGNED | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK
            : 0};
    if (!lws_client_connect_via_info(&connection)) fail("can't connect");
    while (!job.done && lws_service(context, 0) >= 0) {}
    lws_context_destroy(context);
    return 0;
}
