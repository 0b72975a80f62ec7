/// Whether one message is compressed, where permessage-deflate was agreed; elsewhere none is.
///
/// RFC 7692 §6 leaves that to the sender of each message.
public enum MessageCompression: Sendable, Hashable, CaseIterable {
    /// From ``DeflateOptions/threshold`` on.
    case automatic
    /// Whatever its size.
    case always
    /// Not at all: for what is compressed already, or holds a secret beside an attacker's text.
    case never
}
