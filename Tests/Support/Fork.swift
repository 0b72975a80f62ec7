import Glibc

/// fork(2), which Swift hides. In the child there is no other thread, so it may call only what needs none.
///
/// - Returns: 0 in the child; in the parent, the child's number.
/// - Throws: ``SupportError`` if there can be no child.
package func forkProcess() throws -> Int32 {
    guard let symbol = dlsym(nil, "fork") else { throw SupportError("the C library has no fork") }
    let child = unsafeBitCast(symbol, to: (@convention(c) () -> pid_t).self)()
    guard child >= 0 else { throw SupportError("fork: \(String(cString: strerror(errno)))") }
    return child
}
