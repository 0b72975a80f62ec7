// Runs the C kernels under AddressSanitizer and UndefinedBehaviorSanitizer, where `run` builds it:
// every level of this machine against slow references, with unreadable pages on both sides of the
// bytes, and with every sequence of up to three bytes.

#include "accel_internal.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const wsa_kernels *kernels;
static long checks;

static void expect(bool holds, const char *what, size_t count, size_t place) {
  checks++;
  if (!holds) {
    fprintf(stderr, "%s: %s: %zu bytes, at %zu\n", kernels->name, what, count, place);
    exit(1);
  }
}

// References.

static void slow_mask(uint8_t *to, const uint8_t *from, size_t count, const uint8_t key[4],
                      size_t offset) {
  for (size_t i = 0; i < count; i++) {
    to[i] = from[i] ^ key[(i + offset) % 4];
  }
}

/// How many bytes follow a first byte, and the range of the second: Unicode's table 3-7. 0 for
/// none, -1 for a byte that begins nothing.
static int following(uint8_t first, uint8_t *lowest, uint8_t *highest) {
  *lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  *highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (first < 0x80) {
    return 0;
  } else if (first < 0xc2 || first > 0xf4) {
    return -1;
  }
  return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

/// The index of the first byte that can't be right, or -1.
static ptrdiff_t slow_validate(const uint8_t *bytes, size_t count, bool *ends_on_boundary) {
  *ends_on_boundary = false;
  for (size_t i = 0; i < count;) {
    uint8_t lowest, highest;
    int left = following(bytes[i], &lowest, &highest);
    if (left < 0) {
      return (ptrdiff_t)i;
    }
    for (i++; left > 0; left--, i++) {
      if (i == count) {
        return -1;
      } else if (bytes[i] < lowest || bytes[i] > highest) {
        return (ptrdiff_t)i;
      }
      lowest = 0x80;
      highest = 0xbf;
    }
  }
  *ends_on_boundary = true;
  return -1;
}

// Memory between pages that can't be read or written.

static size_t page;
static uint8_t *guarded; // Two pages.

static uint8_t *at_start(size_t offset) { return guarded + offset; }

static uint8_t *at_end(size_t count) { return guarded + 2 * page - count; }

static uint8_t *map_guarded(void) {
  uint8_t *pages = mmap(NULL, 4 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + page, 2 * page, PROT_READ | PROT_WRITE) != 0) {
    perror("mmap");
    exit(1);
  }
  return pages + page;
}

static const uint8_t key_bytes[4] = {0x37, 0xfa, 0x21, 0x3d};

static uint32_t key_at(size_t offset) {
  uint8_t rotated[4];
  uint32_t key;
  for (size_t i = 0; i < 4; i++) {
    rotated[i] = key_bytes[(i + offset) % 4];
  }
  memcpy(&key, rotated, 4);
  return key;
}

// Masking.

static void mask_at(uint8_t *bytes, size_t count, size_t offset) {
  uint8_t expected[700], *copy = malloc(count + 1);
  for (size_t i = 0; i < count; i++) {
    bytes[i] = (uint8_t)(i % 251);
  }
  slow_mask(expected, bytes, count, key_bytes, offset);
  uint32_t next = kernels->mask(copy, bytes, count, key_at(offset));
  expect(next == key_at(offset + count), "key after copying", count, (uintptr_t)bytes % 64);
  expect(memcmp(copy, expected, count) == 0, "mask, copying", count, (uintptr_t)bytes % 64);
  next = kernels->mask(bytes, bytes, count, key_at(offset));
  expect(next == key_at(offset + count), "key after masking", count, (uintptr_t)bytes % 64);
  expect(memcmp(bytes, expected, count) == 0, "mask, in place", count, (uintptr_t)bytes % 64);
  free(copy);
}

static void test_masking(void) {
  for (size_t count = 0; count <= 600; count++) {
    for (size_t place = 0; place < 64; place++) {
      mask_at(at_start(place), count, (count + place) % 4);
    }
    mask_at(at_end(count), count, count % 4);
  }
}

// Validation.

static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
#define EDGES (sizeof edges)

static const char *const texts[] = {
    "The quick brown fox jumps over the lazy dog. ",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. ",
    "Dès Noël où un zéphyr haï me vêt de glaçons würmiens. ",
    "視野無限廣，窗外有藍天。いろはにほへと 키스의 고유조건은 ",
    "😀🤣👩‍👩‍👧‍👦🏳️‍🌈𝔘𝔫𝔦𝔠𝔬𝔡𝔢 é й 漢 😀",
};
#define TEXTS (sizeof texts / sizeof *texts)

static void fill(uint8_t *to, size_t count, const char *text) {
  size_t length = strlen(text);
  for (size_t i = 0; i < count; i++) {
    to[i] = (uint8_t)text[i % length];
  }
}

/// Validates in pieces that end at the cuts, and at the end; with a key it masks as well.
static void validate_in_pieces(const uint8_t *bytes, size_t count, const size_t *cuts,
                               size_t cut_count, bool masks) {
  bool ends_on_boundary;
  ptrdiff_t expected = slow_validate(bytes, count, &ends_on_boundary);
  uint8_t *copy = malloc(count + 1);
  uint32_t state = WSA_UTF8_BOUNDARY, key = key_at(0);
  ptrdiff_t failure = -1;
  size_t start = 0;
  for (size_t cut = 0; cut <= cut_count && failure < 0; cut++) {
    size_t end = cut < cut_count ? cuts[cut] : count;
    failure = masks
                  ? kernels->mask_validating(copy + start, bytes + start, end - start, &key, &state)
                  : kernels->validate(bytes + start, end - start, &state);
    failure = failure < 0 ? failure : (ptrdiff_t)start + failure;
    start = end;
  }
  expect(failure == expected, "index of the fault", count, (size_t)failure);
  expect((state == WSA_UTF8_REJECTED) == (failure >= 0), "rejection", count, state);
  if (failure < 0) {
    expect((state == WSA_UTF8_BOUNDARY) == ends_on_boundary, "end", count, state);
  }
  if (masks && failure < 0) {
    uint8_t *masked = malloc(count + 1);
    slow_mask(masked, bytes, count, key_bytes, 0);
    expect(memcmp(masked, copy, count) == 0, "mask while validating", count, 0);
    expect(key == key_at(count), "key while validating", count, 0);
    free(masked);
  }
  free(copy);
}

/// Every sequence of up to three bytes by itself, and where a vector of a longer text ends in it.
static void test_every_sequence(size_t step) {
  uint8_t text[160];
  fill(text, sizeof text, texts[0]);
  for (uint32_t n = 0; n < 1 << 24; n += (uint32_t)step) {
    uint8_t bytes[3] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    size_t count = 3;
    bool ends_on_boundary;
    ptrdiff_t expected = slow_validate(bytes, count, &ends_on_boundary);
    uint32_t state = WSA_UTF8_BOUNDARY;
    ptrdiff_t failure = kernels->validate(bytes, count, &state);
    expect(failure == expected && (state == WSA_UTF8_BOUNDARY) == ends_on_boundary, "three bytes",
           n, (size_t)failure);
    size_t place = 61 + (n >> 8) % 4;
    memset(text + 61, 'a', 6);
    memcpy(text + place, bytes, 3);
    state = WSA_UTF8_BOUNDARY;
    failure = kernels->validate(text, sizeof text, &state);
    expected = slow_validate(text + place, sizeof text - place, &ends_on_boundary);
    expect(failure == (expected < 0 ? expected : (ptrdiff_t)place + expected),
           "three bytes in a text", n, (size_t)failure);
  }
}

/// Sequences of four at all edges, at places in a text that ends at a page's end.
static void test_four_bytes(void) {
  static const size_t counts[] = {4, 7, 16, 17, 31, 33, 66, 70, 130};
  for (size_t a = 0; a < EDGES; a++) {
    for (size_t b = 0; b < EDGES; b++) {
      for (size_t c = 0; c < EDGES; c++) {
        for (size_t d = 0; d < EDGES; d++) {
          size_t count = counts[(a + b + c + d) % (sizeof counts / sizeof *counts)];
          uint8_t *text = at_end(count);
          size_t place = (a * 7 + b * 5 + c * 3 + d) % (count - 3);
          fill(text, count, texts[0]);
          text[place] = edges[a];
          text[place + 1] = edges[b];
          text[place + 2] = edges[c];
          text[place + 3] = edges[d];
          size_t cuts[2] = {place + 1 + d % 3, place + 4};
          validate_in_pieces(text, count, cuts, (a + d) % 3, (b + d) % 2 == 0);
        }
      }
    }
  }
}

static void test_lengths(void) {
  for (size_t t = 0; t < TEXTS; t++) {
    for (size_t count = 0; count <= 600; count++) {
      uint8_t *places[] = {at_end(count), at_start(0), at_start(count % 64)};
      for (size_t place = 0; place < 3; place++) {
        fill(places[place], count, texts[t]);
        validate_in_pieces(places[place], count, NULL, 0, false);
        validate_in_pieces(places[place], count, NULL, 0, true);
      }
    }
  }
}

static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

static void test_random(size_t rounds) {
  uint64_t random = 1;
  for (size_t round = 0; round < rounds; round++) {
    size_t count = next_random(&random) % 1500;
    uint8_t *text = round % 2 == 0 ? at_end(count) : at_start(round % 64);
    fill(text, count, texts[next_random(&random) % TEXTS]);
    if (count > 0 && round % 3 != 0) {
      uint64_t fault = next_random(&random);
      text[fault % count] = round % 5 == 0 ? edges[(fault >> 32) % EDGES] : (uint8_t)(fault >> 40);
    }
    size_t cuts[3] = {0, 0, 0}, cut_count = next_random(&random) % 4;
    for (size_t cut = 0; cut < cut_count; cut++) {
      size_t least = cut == 0 ? 0 : cuts[cut - 1];
      cuts[cut] = least + next_random(&random) % (count - least + 1);
    }
    validate_in_pieces(text, count, cuts, cut_count, round % 4 < 2);
  }
}

static void test(const wsa_kernels *tested, bool is_short) {
  if (tested == NULL) {
    return;
  }
  kernels = tested;
  checks = 0;
  test_masking();
  test_lengths();
  test_four_bytes();
  test_every_sequence(is_short ? 101 : 1);
  test_random(is_short ? 2000 : 50000);
  printf("%s: %ld checks\n", kernels->name, checks);
}

/// Without an argument: every test at every level. "backend" prints the name of the picked kernels.
/// "short" leaves most sequences out, for emulators.
int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "backend") == 0) {
    puts(wsa_active_kernels()->name);
    return 0;
  }
  bool is_short = argc > 1 && strcmp(argv[1], "short") == 0;
  page = (size_t)sysconf(_SC_PAGESIZE);
  guarded = map_guarded();
  static const wsa_level levels[] = {WSA_SCALAR, WSA_AVX2, WSA_AVX512, WSA_NEON};
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
    test(wsa_kernels_at(levels[i]), is_short);
  }
  if (wsa_kernels_at(WSA_SCALAR) != &wsa_kernels_scalar) {
    test(&wsa_kernels_scalar, is_short); // What runs on older processors.
  }
  return 0;
}
