import LoopbackServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

// loopback-server [PORT]: prints its URL, and serves /echo, /sink and /source until it is killed.
let port = CommandLine.arguments.dropFirst().first.flatMap { UInt16($0) } ?? 0
let server = try LoopbackServer(port: port)
print("listening on \(server.url("/"))")
fflush(nil)
while true { pause() }
