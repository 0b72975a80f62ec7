// Boost.Beast's synchronous WebSocket client.
//
//   beast URL send|recv|rtt binary|text SIZE COUNT
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <regex>
#include <string>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using clock_type = std::chrono::steady_clock;

struct Job {
    std::string scheme, host, port, target, operation, type;
    std::size_t size, count;
    bool deflate;
    std::string payload;

    explicit Job(char **arguments)
        : operation(arguments[2]), type(arguments[3]), size(std::stoull(arguments[4])),
          count(std::stoull(arguments[5])) {
        std::string url = arguments[1];
        std::smatch parts;
        if (!std::regex_match(url, parts, std::regex("(wss?)://([^:/]+):([0-9]+)(/.*)?")))
            throw std::runtime_error("can't use " + url);
        scheme = parts[1], host = parts[2], port = parts[3], target = parts[4];
        if (target.empty()) target = "/";
        deflate = url.find("deflate=1") != url.npos;
        for (std::size_t i = 0; i < size; i++)
            payload += static_cast<char>(type == "text" ? 'a' + i % 26 : i % 251);
        if (const char *folder = std::getenv("WSBENCH_DATA")) {
            std::ifstream file(std::string(folder) + "/" + type + "-" + std::to_string(size));
            if (!file.read(payload.data(), static_cast<std::streamsize>(size)))
                throw std::runtime_error("no payload of that size in WSBENCH_DATA");
        }
    }
};

static double seconds(const timeval &time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}
static double since(clock_type::time_point start) {
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

template <class Stream> void run(const Job &job, Stream &socket) {
    if (job.deflate) {
        websocket::permessage_deflate deflate;
        deflate.client_enable = true;
        deflate.compLevel = 6; // zlib's defaults, as this client has them
        deflate.memLevel = 8;
        socket.set_option(deflate);
    }
    socket.read_message_max(std::size_t(1) << 30);
    socket.auto_fragment(false);
    socket.write_buffer_bytes(1 << 16); // its default of 4 KiB costs a call for each
    socket.handshake(job.host + ":" + job.port, job.target);

    beast::flat_buffer buffer;
    std::vector<double> times;
    rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    auto start = clock_type::now();
    socket.binary(job.type == "binary");
    if (job.operation == "send") {
        for (std::size_t i = 0; i < job.count; i++) socket.write(asio::buffer(job.payload));
        socket.read(buffer);
        std::string answer = beast::buffers_to_string(buffer.data());
        if (answer.rfind("done", 0) != 0) throw std::runtime_error("the server says " + answer);
    } else if (job.operation == "recv") {
        socket.text(true);
        socket.write(asio::buffer("go", 2));
        for (std::size_t i = 0; i < job.count; i++) {
            buffer.clear();
            if (socket.read(buffer) != job.size) throw std::runtime_error("another size");
        }
    } else {
        for (std::size_t i = 0; i < job.count; i++) {
            buffer.clear();
            auto sent = clock_type::now();
            socket.write(asio::buffer(job.payload));
            socket.read(buffer);
            times.push_back(since(sent));
        }
        std::sort(times.begin(), times.end());
    }
    double elapsed = since(start);
    getrusage(RUSAGE_SELF, &after);
    std::printf("{\"peer\":\"Boost.Beast\",\"op\":\"%s\",\"type\":\"%s\",\"size\":%zu,\"count\":%zu,"
                "\"seconds\":%.6f,\"user_cpu\":%.6f,\"sys_cpu\":%.6f",
        job.operation.c_str(), job.type.c_str(), job.size, job.count, elapsed,
        seconds(after.ru_utime) - seconds(before.ru_utime),
        seconds(after.ru_stime) - seconds(before.ru_stime));
    if (!times.empty())
        std::printf(",\"p50_us\":%.2f,\"p99_us\":%.2f", times[times.size() / 2] * 1e6,
            times[times.size() * 99 / 100] * 1e6);
    std::puts("}");
    std::fflush(stdout);
    beast::error_code ignored;
    socket.close(websocket::close_code::normal, ignored);
}

int main(int count, char **arguments) try {
    if (count != 6) {
        std::cerr << "beast URL send|recv|rtt binary|text SIZE COUNT\n";
        return 2;
    }
    Job job(arguments);
    asio::io_context context;
    tcp::resolver resolver(context);
    auto addresses = resolver.resolve(job.host, job.port);
    if (job.scheme == "wss") {
        asio::ssl::context tls(asio::ssl::context::tls_client);
        websocket::stream<asio::ssl::stream<tcp::socket>> socket(context, tls);
        auto &transport = beast::get_lowest_layer(socket);
        asio::connect(transport, addresses);
        transport.set_option(tcp::no_delay(true));
        socket.next_layer().handshake(asio::ssl::stream_base::client);
        run(job, socket);
    } else {
        websocket::stream<tcp::socket> socket(context);
        asio::connect(socket.next_layer(), addresses);
        socket.next_layer().set_option(tcp::no_delay(true));
        run(job, socket);
    }
} catch (const std::exception &error) {
    std::cerr << "beast: " << error.what() << "\n";
    return 1;
}
