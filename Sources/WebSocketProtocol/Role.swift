/// Which end of the connection this is. A client masks what it sends, a server doesn't (RFC 6455 §5.1).
package enum Role: Sendable {
    case client, server
}
