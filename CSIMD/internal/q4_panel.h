// SPDX-License-Identifier: Apache-2.0
// The packed int4 weight layout: the one place that knows where a code, a factor or a scale lies.
#ifndef CSIMD_INTERNAL_Q4_PANEL_H
#define CSIMD_INTERNAL_Q4_PANEL_H

#include "../include/csimd.h"

#include <assert.h>
#include <string.h>

// A weight matrix [n, k] is cut into panels of 32 output rows and, inside a panel, into blocks of
// 128 inputs: four groups of 32. A block holds its codes and then one word for each of its 32 rows,
// so one thread reads a panel as a single forward stream of 34 cache lines a block:
//
//   panel p = rows 32p … 32p+31            block b = inputs 128b … 128b+127
//   ┌──────────────────────────────── block, 2176 bytes ────────────────────────────────┐
//   │ codes u8 [32 quads][16 rows][4 inputs], 2048 bytes   │ words u32 [32 rows], 128     │ → next
//   └────────────────────────────────────────────────────────────────────────────────────┘
//
//   a byte of codes           7 … 4                3 … 0
//                             code of row 16 + r   code of row r         input 4 · quad + i
//
//   a word    31 … 20                           19 … 15   14 … 10   9 … 5     4 … 0
//             scale: 5 exponent, 7 fraction     factor 3  factor 2  factor 1  factor 0
//
//   weight = (code - 8) · factor · scale        factor of the input's group, scale of the block
//
// A code is 0 … 15. A factor is a two's complement number within ±15; -16 counts as -15. The scale
// is unsigned, 2^(e - 22) · (1 + f / 128) with e > 0 and 2^-21 · f / 128 with e = 0: an f16 without
// sign, infinities and its last three bits, divided by 2^7. So every bit pattern is a finite
// weight. Padding rows and padding inputs hold code 8, and words 0.
//
// (code - 8) · factor is a whole number within ±120. A block is therefore an int8 block of 128
// inputs in fewer bits: prefill unpacks panels into the int8 layout once for all rows and
// multiplies them at the speed of int8, decode multiplies nibbles, and both have the same exact
// integer sums.
//
// The nibbles of one byte belong to rows 16 apart, so both halves of a load meet the same four
// activations, and a load needs one AND: with x = 16·high + low taken as it is, the sum over the
// high codes is (Σ x·a - Σ low·a) / 16, one subtraction and one shift a group.

enum {
  CSIMD_Q4_ROWS = 32,
  CSIMD_Q4_QUAD = 4,
  CSIMD_Q4_GROUP = 32,  // inputs a factor
  CSIMD_Q4_BLOCK = CSIMD_Q4_INPUTS,
  CSIMD_Q4_GROUPS = CSIMD_Q4_BLOCK / CSIMD_Q4_GROUP,
  CSIMD_Q4_ZERO = 8,
  CSIMD_Q4_FACTOR_LIMIT = 15,
  CSIMD_Q4_LINE = 64,  // bytes of codes of one quad
  CSIMD_Q4_CODE_BYTES = CSIMD_Q4_BLOCK / CSIMD_Q4_QUAD * CSIMD_Q4_LINE,
  CSIMD_Q4_BLOCK_BYTES = CSIMD_Q4_CODE_BYTES + CSIMD_Q4_ROWS * 4,
};

/// A scale's bits, moved to an f32's, times this.
#define CSIMD_Q4_SCALE_UNIT 0x1p105f

static inline size_t csimd_q4_blocks(size_t k) {
  return (k + CSIMD_Q4_BLOCK - 1) / CSIMD_Q4_BLOCK;
}

static inline size_t csimd_q4_panel_bytes(size_t k) {
  return csimd_q4_blocks(k) * CSIMD_Q4_BLOCK_BYTES;
}

static inline size_t csimd_q4_panels(size_t n) {
  return (n + CSIMD_Q4_ROWS - 1) / CSIMD_Q4_ROWS;
}

/// The block that holds row `n`, input `k` of a packed matrix of `columns` inputs.
static inline const uint8_t *csimd_q4_block(const void *panels,
                                            size_t n,
                                            size_t k,
                                            size_t columns) {
  return (const uint8_t *)panels + n / CSIMD_Q4_ROWS * csimd_q4_panel_bytes(columns) +
         k / CSIMD_Q4_BLOCK * CSIMD_Q4_BLOCK_BYTES;
}

/// Byte offset, from the start of a block, of the code of row `row`, input `k` of the block.
static inline size_t csimd_q4_code_offset(size_t row, size_t k) {
  return k / CSIMD_Q4_QUAD * CSIMD_Q4_LINE + row % 16 * CSIMD_Q4_QUAD + k % CSIMD_Q4_QUAD;
}

/// code - 8 of row `row`, input `k` of a block.
static inline int32_t csimd_q4_code(const uint8_t *block, size_t row, size_t k) {
  uint8_t pair = block[csimd_q4_code_offset(row, k)];
  return (row < 16 ? pair & 15 : pair >> 4) - CSIMD_Q4_ZERO;
}

/// The word of row `row` of a block.
static inline uint32_t csimd_q4_word(const uint8_t *block, size_t row) {
  uint32_t word;
  memcpy(&word, block + CSIMD_Q4_CODE_BYTES + 4 * row, sizeof word);
  return word;
}

/// The factor of group `group` of a block.
static inline int32_t csimd_q4_factor(uint32_t word, size_t group) {
  int32_t bits = (int32_t)(word >> 5 * group & 31);
  int32_t factor = bits < 16 ? bits : bits - 32;
  return factor < -CSIMD_Q4_FACTOR_LIMIT ? -CSIMD_Q4_FACTOR_LIMIT : factor;
}

/// The scale of a block's row.
static inline float csimd_q4_scale(uint32_t word) {
  uint32_t bits = word >> 4 & 0x0fff0000;
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return scale * CSIMD_Q4_SCALE_UNIT;
}

/// The contract of a product of `m` rows with some panels.
static inline void csimd_q4_check(const csimd_q8_activations *a,
                                  size_t m,
                                  const csimd_q4_weights *w,
                                  size_t first_panel,
                                  size_t panels) {
  assert(w->k > 0);
  assert((uintptr_t)w->panels % 64 == 0);
  assert(first_panel + panels <= csimd_q4_panels(w->n));
  assert(m < 2 || a->row_stride >= csimd_q4_blocks(w->k) * CSIMD_Q4_BLOCK);
  assert(m < 2 || a->group_stride >= csimd_q4_blocks(w->k));
  (void)a, (void)m, (void)w, (void)first_panel, (void)panels;
}

#endif
