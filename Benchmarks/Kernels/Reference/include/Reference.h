// What wsaccel does, in C: a byte at a time. For comparison, and only for that.

#pragma once

#include <stddef.h>
#include <stdint.h>

void reference_mask(uint8_t *_Nonnull to, const uint8_t *_Nonnull from, size_t count,
                    const uint8_t key[_Nonnull 4]);

/// Hoehrmann's automaton with its two tables; returns the state at the end, 0 on a boundary.
unsigned reference_validate(const uint8_t *_Nonnull bytes, size_t count);

/// A function of a copy of a shared library that nobody else sees, or NULL.
void *_Nullable load_separately(const char *_Nonnull library, const char *_Nonnull symbol);
