#pragma once
#include <stdint.h>

// The number of calls of malloc, calloc, realloc and aligned allocation in this process so far.
// This module takes glibc's place for them, in the program that links it.
uint64_t allocation_count(void);
