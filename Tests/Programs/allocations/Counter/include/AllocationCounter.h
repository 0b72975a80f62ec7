#pragma once
#include <stdint.h>

// This module takes glibc's place for allocation, in the program that links it.

// The number of calls of malloc, calloc, realloc and aligned allocation in this process so far.
uint64_t allocation_count(void);
// How many bytes are allocated now, as the allocator rounds them.
int64_t allocated_bytes(void);
