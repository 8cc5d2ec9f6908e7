// SPDX-License-Identifier: Apache-2.0
// The numbers that kernels are tried on: fixed sequences, the same on every machine.
#include "matrix.h"

static uint64_t state = 1;

enum { KEPT = 64 };
static void *kept[KEPT];
static size_t kept_count;

uint32_t random_bits(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)(state * 0x2545f4914f6cdd1d >> 32);
}

void seed_random(uint64_t seed) {
  state = seed * 0x9e3779b97f4a7c15 + 1;
  while (kept_count > 0) {
    free(kept[--kept_count]);
  }
}

void *keep(size_t bytes) {
  void *memory = calloc(bytes + 1, 1);
  if (memory == NULL || kept_count == KEPT) {
    fprintf(stderr, "kernel-matrix: out of memory for a case\n");
    exit(71);
  }
  kept[kept_count++] = memory;
  return memory;
}

float float_of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

float random_float(float limit) {
  return ((float)(random_bits() >> 8) - 0x1p23f) * 0x1p-23f * limit;
}

float *random_floats(size_t count, float limit) {
  float *x = keep(count * sizeof *x);
  for (size_t i = 0; i < count; i++) {
    x[i] = random_float(limit);
  }
  return x;
}

float *special_floats(size_t count) {
  static const uint32_t specials[] = {
      0x7fc00000, 0xffc00000, 0x7f800001, 0xff812345, 0x7f800000,
      0xff800000,                                                  // NaN, infinities
      0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000,  // zeros, subnormals
      0x7f7fffff, 0xff7fffff, 0x3f800000, 0xbf800000,              // largest, ones
      0x3f000000, 0xbf000000, 0x3fc00000, 0xc0200000,              // ties of integers
      0x3f808000, 0x3f818000, 0x7f7f8000, 0x7f7f7fff,              // ties of bf16
      0x3f801000, 0x3f803000, 0x477fefff, 0x477ff000, 0x33000000,
      0x33000001,  // ties, limits of f16
      0x38800000, 0x387fe000, 0x387fffff, 0x42b17218, 0xc2cff1b5,
      0x42d00000,                                      // f16 and exp limits
      0x41800000, 0xc1800001, 0x42fe0000, 0xc2fe0000,  // 16, 127
  };
  float *x = keep(count * sizeof *x);
  for (size_t i = 0; i < count; i++) {
    uint32_t draw = random_bits();
    x[i] = draw % 3 == 0   ? float_of_bits(random_bits())
           : draw % 3 == 1 ? float_of_bits(specials[(draw >> 8) % COUNT(specials)])
                           : random_float(8);
  }
  return x;
}
