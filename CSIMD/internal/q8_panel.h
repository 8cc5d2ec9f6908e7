// SPDX-License-Identifier: Apache-2.0
// The packed int8 weight layout: the one place that knows where a code or a scale lies.
#ifndef CSIMD_INTERNAL_Q8_PANEL_H
#define CSIMD_INTERNAL_Q8_PANEL_H

#include "../include/csimd.h"

#include <assert.h>

// A weight matrix [n, k] is cut into panels of 32 output rows and, inside a panel, into blocks of
// `group` inputs. A block holds its codes and then one f32 scale for each of its 32 rows, so one
// thread reads a panel as a single forward stream:
//
//   panel p = rows 32p … 32p+31        block g = inputs g·group … (g+1)·group-1
//   ┌────────────────────────────── block ──────────────────────────────┐
//   │ codes u8 [group/4][32 rows][4 inputs]          │ scales f32 [32]   │   → next block → …
//   └─────────────────────────────────────────────────────────────────────┘
//
// A code is stored as value + 128 (1 … 255, value in ±127). Padding rows and padding inputs hold
// the code of zero, 128; padding rows have scale 0. The shift makes the weight the unsigned operand
// of VPDPBUSD and USDOT, so the signed activation can be broadcast straight from memory; the
// surplus 128·Σa depends on the token and group alone and starts the accumulator (see
// csimd_q8_activations.sums). Every block is a multiple of 64 bytes.

enum { CSIMD_Q8_ROWS = 32, CSIMD_Q8_QUAD = 4, CSIMD_Q8_ZERO = 128 };

static inline size_t csimd_q8_groups(size_t k, size_t group) {
  return (k + group - 1) / group;
}

static inline size_t csimd_q8_block_bytes(size_t group) {
  return CSIMD_Q8_ROWS * group + CSIMD_Q8_ROWS * sizeof(float);
}

static inline size_t csimd_q8_panel_bytes(size_t k, size_t group) {
  return csimd_q8_groups(k, group) * csimd_q8_block_bytes(group);
}

static inline size_t csimd_q8_panels(size_t n) {
  return (n + CSIMD_Q8_ROWS - 1) / CSIMD_Q8_ROWS;
}

/// Byte offset of the code of row `n`, input `k` from the start of the packed matrix.
static inline size_t csimd_q8_code_offset(size_t n, size_t k, size_t columns, size_t group) {
  size_t panel = n / CSIMD_Q8_ROWS, row = n % CSIMD_Q8_ROWS;
  size_t block = k / group, within = k % group;
  return panel * csimd_q8_panel_bytes(columns, group) + block * csimd_q8_block_bytes(group) +
         (within / CSIMD_Q8_QUAD) * CSIMD_Q8_ROWS * CSIMD_Q8_QUAD + row * CSIMD_Q8_QUAD +
         within % CSIMD_Q8_QUAD;
}

/// Byte offset of the scale of row `n` in the block that holds input `k`.
static inline size_t csimd_q8_scale_offset(size_t n, size_t k, size_t columns, size_t group) {
  size_t panel = n / CSIMD_Q8_ROWS, row = n % CSIMD_Q8_ROWS;
  return panel * csimd_q8_panel_bytes(columns, group) + (k / group) * csimd_q8_block_bytes(group) +
         CSIMD_Q8_ROWS * group + row * sizeof(float);
}

/// The contract of a product of `m` rows with some panels.
static inline void csimd_q8_check(const csimd_q8_activations *a,
                                  size_t m,
                                  const csimd_q8_weights *w,
                                  size_t first_panel,
                                  size_t panels) {
  assert(w->group > 0 && w->group % 32 == 0 && w->k > 0);
  assert((uintptr_t)w->panels % 64 == 0);
  assert(first_panel + panels <= csimd_q8_panels(w->n));
  assert(m < 2 || a->row_stride >= csimd_q8_groups(w->k, w->group) * w->group);
  assert(m < 2 || a->group_stride >= csimd_q8_groups(w->k, w->group));
  (void)a, (void)m, (void)w, (void)first_panel, (void)panels;
}

#endif
