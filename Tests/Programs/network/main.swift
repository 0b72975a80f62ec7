import Foundation
import TestSupport
import WebSocketClient

// network-faults: a client on a network that loses packets without a word, has addresses of which one
// leads nowhere, or a name server that doesn't answer. Tests/Steps/network makes that network and runs
// this in it. Fails if a call doesn't end as it should, or takes more than `Trial.limit` for it.

if CommandLine.arguments.dropFirst() == ["serve"] {
    try FarServer.run()
    exit(0)
}
guard CommandLine.arguments.count == 2 else {
    print("Tests/Steps/network runs this.")
    exit(2)
}
let link = Link(far: CommandLine.arguments[1])
guard eventually({ (try? Trial.connect(to: "four.test").abort()) != nil }) else {
    print("FAILED: the server can't be reached")
    exit(1)
}
let trials = HalfOpenTrials.all + DualStackTrials.all + ResolverTrials.all
let passed = trials.count { $0.passes(over: link) }
print("\(passed) passed, \(trials.count - passed) failed")
exit(passed == trials.count ? 0 : 1)
