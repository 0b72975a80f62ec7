import Foundation
import LoopbackServer
import TestSupport
import WebSocketClient

// attack-memory: runs hostile servers, one after the other, against a client in a process of its own.
// Fails if the client's memory grows beyond the limit, the call takes too long, or its error is not the
// right one. With an argument, runs only the attacks whose names begin with it.

let attacks: [any Attack] = MessageAttack.allCases + RecordAttack.all

let arguments = CommandLine.arguments
if arguments.count == 5 {
    let ports = arguments[2...].compactMap(UInt16.init)
    guard ports.count == 3, let attack = attacks.first(where: { $0.name == arguments[1] }) else {
        exit(2)
    }
    let calm = CalmServers(port: ports[1], securePort: ports[2])
    exit(try Victim(attack: attack, port: ports[0], calm: calm).run() ? 0 : 1)
}

let identity = try Certificates.shared.get().server
let tls = try TLSServer(certificateFile: identity.certificate, keyFile: identity.key)
let calm = try LoopbackServer()
let secureCalm = try LoopbackServer(tls: tls) { connection in
    while true {
        let (opcode, payload) = try connection.receive()
        try payload.withUnsafeBytes { try connection.send(opcode, $0) }
    }
}

var isFine = true
for attack in attacks where attack.name.hasPrefix(arguments.dropFirst().first ?? "") {
    let listener = try Listener()
    let server = Background {
        while true {
            let stream = try listener.accept(until: .never)
            // Until the victim is gone; a redirect leads back here.
            try? attack.serve(stream)
        }
    }
    let victim = try Process.run(
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath(),
        arguments: [attack.name] + [listener.port, calm.port, secureCalm.port].map(String.init)
    )
    victim.waitUntilExit()
    isFine = victim.terminationStatus == 0 && isFine
    listener.close()
    do { try server.join() } catch TransportError.aborted {}
}
exit(isFine ? 0 : 1)
