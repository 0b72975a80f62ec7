import Foundation
import LoopbackServer
import TestSupport
import WebSocketClient

// attack-memory: hostile servers against a client in a process of its own, one after the other.
// Fails if the client's memory grows beyond the limit, the call takes too long, or its error is not
// the right one.

if CommandLine.arguments.count == 3, let port = UInt16(CommandLine.arguments[2]),
    let attack = Attack(rawValue: CommandLine.arguments[1])
{
    exit(try Victim(attack: attack, port: port).run() ? 0 : 1)
}

var isFine = true
for attack in Attack.allCases {
    let listener = try Listener()
    let server = Background {
        // A calm connection first.
        let calm = try listener.accept(until: .after(.seconds(20)))
        let connection = try ServerConnection(accepting: calm, compression: nil)
        try connection.write(WireFrame(.binary, try connection.receive().payload))
        connection.waitForEnd()
        calm.finishWriting()
        while true {
            let stream = try listener.accept(until: .never)
            // Until the victim is gone; a redirect leads back here.
            try? attack.serve(stream)
        }
    }
    let victim = try Process.run(
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath(),
        arguments: [attack.rawValue, "\(listener.port)"]
    )
    victim.waitUntilExit()
    isFine = victim.terminationStatus == 0 && isFine
    listener.close()
    do { try server.join() } catch TransportError.aborted {}
}
exit(isFine ? 0 : 1)
