import TestSupport

/// The link between this network namespace and the one where the servers are.
///
/// It loses packets as a broken network does, without a word to either end: they go to a station that
/// isn't there.
struct Link {
    enum Family: String, CaseIterable { case four = "-4", six = "-6" }

    /// A process in the other namespace.
    let far: String

    private static let nobody = "02:00:00:00:00:01"

    func lose(_ families: Family...) throws {
        for family in families.isEmpty ? Family.allCases : families {
            try near(
                family,
                ["replace", family.farAddress, "lladdr", Self.nobody, "nud", "permanent"]
            )
            try beyond(
                family,
                ["replace", family.nearAddress, "lladdr", Self.nobody, "nud", "permanent"]
            )
        }
    }

    /// Lets all packets pass again; does nothing if they do.
    func restore() {
        for family in Family.allCases {
            _ = try? near(family, ["del", family.farAddress])
            _ = try? beyond(family, ["del", family.nearAddress])
        }
    }

    private func near(_ family: Family, _ words: [String]) throws {
        try runProgram("ip", [family.rawValue, "neighbour"] + words + ["dev", "near"])
    }

    private func beyond(_ family: Family, _ words: [String]) throws {
        try runProgram(
            "nsenter",
            ["--target", far, "--net", "ip", family.rawValue, "neighbour"] + words + ["dev", "far"]
        )
    }
}

extension Link.Family {
    var nearAddress: String { self == .four ? "192.0.2.1" : "2001:db8::1" }
    var farAddress: String { self == .four ? "192.0.2.2" : "2001:db8::2" }
}
