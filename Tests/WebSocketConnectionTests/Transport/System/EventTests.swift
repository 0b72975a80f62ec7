import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Event", .blocking)
struct EventTests {
    @Test("Waiting ends at the deadline if it isn't set")
    func timeOut() {
        let event = Event()
        let time = elapsed { #expect(!event.wait(until: .after(.milliseconds(30)))) }
        #expect(time >= .milliseconds(30))
    }

    @Test("It stays set until it is reset")
    func reset() {
        let event = Event()
        event.set()
        #expect(event.isSet && event.wait(until: .after(.zero)) && event.wait(until: .after(.zero)))
        event.reset()
        #expect(!event.isSet && !event.wait(until: .after(.zero)))
        event.reset()
        event.set()
        #expect(event.isSet)
    }

    @Test("Setting it ends the waits of all threads")
    func allThreads() throws {
        let event = Event()
        let threads = (0..<4).map { _ in Background { event.wait(until: .ample) } }
        // Some of them wait by now, and one has given up.
        #expect(!event.wait(until: .after(.milliseconds(20))))
        event.set()
        for thread in threads { #expect(try thread.join()) }
    }
}
