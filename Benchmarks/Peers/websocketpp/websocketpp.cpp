// WebSocket++'s client over Boost.Asio.
//
//   websocketpp URL send|recv|rtt binary|text SIZE COUNT
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <vector>
#include <websocketpp/client.hpp>
#include <websocketpp/config/asio_client.hpp>

using clock_type = std::chrono::steady_clock;
namespace opcode = websocketpp::frame::opcode;

static double seconds(const timeval &time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}
static double since(clock_type::time_point start) {
    return std::chrono::duration<double>(clock_type::now() - start).count();
}
[[noreturn]] static void fail(const std::string &reason) {
    std::cerr << "websocketpp: " << reason << "\n";
    std::exit(1);
}

struct Job {
    std::string url, operation, type, payload;
    std::size_t size, count;
    opcode::value kind;

    explicit Job(char **arguments)
        : url(arguments[1]), operation(arguments[2]), type(arguments[3]),
          size(std::stoull(arguments[4])), count(std::stoull(arguments[5])),
          kind(type == "text" ? opcode::text : opcode::binary) {
        payload.resize(size);
        for (std::size_t i = 0; i < size; i++)
            payload[i] = static_cast<char>(type == "text" ? 'a' + i % 26 : i % 251);
        if (const char *folder = std::getenv("WSBENCH_DATA")) {
            std::ifstream file(std::string(folder) + "/" + type + "-" + std::to_string(size));
            if (!file.read(payload.data(), static_cast<std::streamsize>(size)))
                fail("no payload of that size in WSBENCH_DATA");
        }
    }
};

template <class Config> class Peer {
    using Client = websocketpp::client<Config>;
    using Handle = websocketpp::connection_hdl;

    // What may wait in the client before it writes.
    static constexpr std::size_t limit = 1 << 20;

    const Job &job;
    std::size_t remaining;
    Handle handle;
    std::vector<double> times;
    clock_type::time_point start, sent;
    rusage before;

    void begin() {
        getrusage(RUSAGE_SELF, &before);
        start = clock_type::now();
        if (job.operation == "send") fill();
        else if (job.operation == "recv") client.send(handle, "go", opcode::text);
        else ping();
    }

    // There is no event for a queue that has emptied: the loop looks again.
    void fill() {
        auto connection = client.get_con_from_hdl(handle);
        while (remaining > 0 && connection->get_buffered_amount() < limit) {
            client.send(handle, job.payload.data(), job.size, job.kind);
            remaining--;
        }
        if (remaining > 0) client.get_io_service().post([this] { fill(); });
    }

    void ping() {
        sent = clock_type::now();
        client.send(handle, job.payload.data(), job.size, job.kind);
    }

    void received(const std::string &message) {
        if (job.operation == "send") {
            if (message.rfind("done", 0) != 0) fail("the server says " + message);
            return finish();
        }
        if (message.size() != job.size) fail("received another size");
        if (job.operation == "rtt") times.push_back(since(sent));
        if (--remaining == 0) finish();
        else if (job.operation == "rtt") ping();
    }

    void finish() {
        double elapsed = since(start);
        rusage after;
        getrusage(RUSAGE_SELF, &after);
        std::printf("{\"peer\":\"WebSocket++\",\"op\":\"%s\",\"type\":\"%s\",\"size\":%zu,\"count\":%zu,"
                    "\"seconds\":%.6f,\"user_cpu\":%.6f,\"sys_cpu\":%.6f",
            job.operation.c_str(), job.type.c_str(), job.size, job.count, elapsed,
            seconds(after.ru_utime) - seconds(before.ru_utime),
            seconds(after.ru_stime) - seconds(before.ru_stime));
        std::sort(times.begin(), times.end());
        if (!times.empty())
            std::printf(",\"p50_us\":%.2f,\"p99_us\":%.2f", times[times.size() / 2] * 1e6,
                times[times.size() * 99 / 100] * 1e6);
        std::puts("}");
        std::fflush(stdout);
        client.close(handle, websocketpp::close::status::normal, "");
    }

public:
    Client client;

    explicit Peer(const Job &job) : job(job), remaining(job.count) {
        client.clear_access_channels(websocketpp::log::alevel::all);
        client.clear_error_channels(websocketpp::log::elevel::all);
        client.init_asio();
        client.set_max_message_size(std::size_t(1) << 30);
        client.set_tcp_post_init_handler([this](Handle each) {
            client.get_con_from_hdl(each)->get_raw_socket().set_option(
                boost::asio::ip::tcp::no_delay(true));
        });
        client.set_open_handler([this](Handle opened) {
            handle = opened;
            begin();
        });
        client.set_message_handler([this](Handle, typename Client::message_ptr message) {
            received(message->get_payload());
        });
        client.set_fail_handler([](Handle) { fail("can't connect"); });
    }

    void run() {
        websocketpp::lib::error_code error;
        auto connection = client.get_connection(job.url, error);
        if (error) fail(error.message());
        client.connect(connection);
        client.run();
        if (remaining > 0) fail("the connection ended early");
    }
};

int main(int count, char **arguments) try {
    if (count != 6) {
        std::cerr << "websocketpp URL send|recv|rtt binary|text SIZE COUNT\n";
        return 2;
    }
    Job job(arguments);
    if (job.url.rfind("wss:", 0) == 0) {
        Peer<websocketpp::config::asio_tls_client> peer(job);
        peer.client.set_tls_init_handler([](websocketpp::connection_hdl) {
            return websocketpp::lib::make_shared<boost::asio::ssl::context>(
                boost::asio::ssl::context::tls_client);
        });
        peer.run();
    } else {
        Peer<websocketpp::config::asio_client>(job).run();
    }
} catch (const std::exception &error) {
    fail(error.what());
}
