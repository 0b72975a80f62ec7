import Glibc
import Testing
import WebSocketAccel

@Suite("The active kernels")
struct BackendTests {
    @Test("The trait decides between C and Swift")
    func trait() {
        #if CAccel
            #expect(KernelSet.all.map(\.testDescription).contains(Accel.backend))
            #expect(Accel.backend.hasPrefix("c-"))
        #else
            #expect(Accel.backend == "swift")
        #endif
    }

    #if CAccel
        @Test("The environment forces a lower level")
        func forcedLevel() async {
            await #expect(processExitsWith: .success) {
                setenv("WEBSOCKET_ACCEL_LEVEL", "scalar", 1)
                #expect(Accel.backend == "c-scalar")
                // Read once.
                unsetenv("WEBSOCKET_ACCEL_LEVEL")
                #expect(Accel.backend == "c-scalar")
            }
        }

        @Test("A level that is unknown, or that the machine doesn't support, is ignored")
        func unknownLevel() async {
            await #expect(processExitsWith: .success) {
                setenv("WEBSOCKET_ACCEL_LEVEL", "altivec", 1)
                #expect(Accel.backend == KernelSet.all.dropLast().last?.testDescription)
            }
        }
    #endif
}
