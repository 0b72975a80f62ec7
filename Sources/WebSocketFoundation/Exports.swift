#if canImport(FoundationNetworking)
    // Where URLRequest and URLSessionConfiguration are on Linux, so that no program needs another import.
    @_exported public import FoundationNetworking
#endif
