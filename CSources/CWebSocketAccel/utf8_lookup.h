// The tables of Keiser's and Lemire's look-up algorithm ("Validating UTF-8 In Less Than One
// Instruction Per Byte", 2020) for instruction sets whose look-ups take 16 entries.
//
// Two bytes in a row are at fault if a bit is set for the first one's high nibble, for its low
// nibble and for the second one's high nibble. The exception is a continuation byte after another:
// it is at fault unless it is due, as the third byte after E0 and above or the fourth after F0 and
// above.

#pragma once

#include <stdint.h>

enum {
  TOO_SHORT = 1 << 0,         // 11______ 0_______ and 11______ 11______
  TOO_LONG = 1 << 1,          // 0_______ 10______
  OVERLONG_3 = 1 << 2,        // 11100000 100_____
  TOO_LARGE = 1 << 3,         // 11110100 1001____, 11110100 101_____, 11110101 and above
  SURROGATE = 1 << 4,         // 11101101 101_____
  OVERLONG_2 = 1 << 5,        // 1100000_ 10______
  OVERLONG_4 = 1 << 6,        // 11110000 1000____
  TOO_LARGE_1000 = 1 << 6,    // 11110101 and above 1000____: never with F0's low nibble
  TWO_CONTINUATIONS = 1 << 7, // 10______ 10______
  ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS,
};

static const uint8_t wsa_first_high[16] = {
    [0x0 ... 0x7] = TOO_LONG,
    [0x8 ... 0xb] = TWO_CONTINUATIONS,
    [0xc] = TOO_SHORT | OVERLONG_2,
    [0xd] = TOO_SHORT,
    [0xe] = TOO_SHORT | OVERLONG_3 | SURROGATE,
    [0xf] = TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4,
};

static const uint8_t wsa_first_low[16] = {
    [0x0] = ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    [0x1] = ANY_LOW | OVERLONG_2,
    [0x2 ... 0x3] = ANY_LOW,
    [0x4] = ANY_LOW | TOO_LARGE,
    [0x5 ... 0xc] = ANY_LOW | TOO_LARGE | TOO_LARGE_1000,
    [0xd] = ANY_LOW | TOO_LARGE | TOO_LARGE_1000 | SURROGATE,
    [0xe ... 0xf] = ANY_LOW | TOO_LARGE | TOO_LARGE_1000,
};

static const uint8_t wsa_second_high[16] = {
    [0x0 ... 0x7] = TOO_SHORT,
    [0x8] = TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | OVERLONG_3 | OVERLONG_4 | TOO_LARGE_1000,
    [0x9] = TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | OVERLONG_3 | TOO_LARGE,
    [0xa ... 0xb] = TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | SURROGATE | TOO_LARGE,
    [0xc ... 0xf] = TOO_SHORT,
};
