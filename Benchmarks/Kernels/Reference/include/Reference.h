// What wsaccel does, in C: a byte at a time. For comparison, and only for that.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// wsaccel's XorMaskerSimple.
typedef struct reference_masker {
  ptrdiff_t pointer;
  uint8_t mask[4];
} reference_masker;

/// The loop of its process(): the position is kept in the object, and the input is a view that may
/// have gaps.
void reference_mask(reference_masker *_Nonnull masker, uint8_t *_Nonnull to,
                    const uint8_t *_Nonnull from, ptrdiff_t stride, size_t count);

/// Hoehrmann's automaton with its two tables; returns the state at the end, 0 on a boundary.
unsigned reference_validate(const uint8_t *_Nonnull bytes, size_t count);

/// Whether the processor can run the implementation of simdutf with this name.
bool runs_simdutf(const char *_Nonnull implementation);

/// A function of a copy of a shared library that nobody else sees, or NULL.
void *_Nullable load_separately(const char *_Nonnull library, const char *_Nonnull symbol);
