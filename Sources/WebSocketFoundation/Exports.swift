#if canImport(FoundationNetworking)
    // On Linux, URLRequest and URLSessionConfiguration are here; no program needs another import.
    @_exported public import FoundationNetworking
#endif
