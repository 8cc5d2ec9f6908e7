// SPDX-License-Identifier: Apache-2.0
// Where pair_attention finds bf16 keys, values and scratch.
#ifndef CSIMD_PAIR_ATTENTION_PAIR_LAYOUT_H
#define CSIMD_PAIR_ATTENTION_PAIR_LAYOUT_H

#include "../include/csimd.h"

#include <assert.h>

// Two bf16 values that are multiplied and added together are neighbours, 4 bytes:
//
//   keys    [key / 16][dim / 2][key % 16][dim % 2]          a pair is two dims of one key
//   values  [key / 2][dims rounded up to 16][key % 2]       a pair is two keys of one dim
//
// Missing dims are zeros, so that no loop over dims has a ragged end. Keys that a query does not
// see never reach it, whatever they hold: their scores are replaced, and half a pair is masked.

enum { CSIMD_PAIR_BLOCK = 16, CSIMD_PAIR_TILE = 12 };

/// Pairs of a row of queries or of keys.
static inline size_t csimd_pair_dims(size_t head_dim) {
  return (head_dim + 1) / 2;
}

/// Dims of a row of values, whole vectors.
static inline size_t csimd_pair_value_dims(size_t head_dim) {
  return (head_dim + CSIMD_PAIR_BLOCK - 1) / CSIMD_PAIR_BLOCK * CSIMD_PAIR_BLOCK;
}

/// Blocks of 16 keys.
static inline size_t csimd_pair_blocks(size_t keys) {
  return (keys + CSIMD_PAIR_BLOCK - 1) / CSIMD_PAIR_BLOCK;
}

/// Keys first … end - 1.
typedef struct csimd_pair_range {
  size_t first, end;
} csimd_pair_range;

/// The keys that query `query` of a call sees.
static inline csimd_pair_range csimd_pair_visible(const csimd_pair_attention_args *args,
                                                  size_t query) {
  if (!args->causal) {
    return (csimd_pair_range){0, args->keys};
  }
  size_t end = args->first_query + query + 1;
  size_t first = args->window != 0 && end > args->window ? end - args->window : 0;
  return (csimd_pair_range){first, end};
}

static inline size_t csimd_pair_key_index(size_t key, size_t dim, size_t head_dim) {
  size_t block = key / CSIMD_PAIR_BLOCK, lane = key % CSIMD_PAIR_BLOCK;
  return ((block * csimd_pair_dims(head_dim) + dim / 2) * CSIMD_PAIR_BLOCK + lane) * 2 + dim % 2;
}

static inline size_t csimd_pair_value_index(size_t key, size_t dim, size_t head_dim) {
  return (key / 2 * csimd_pair_value_dims(head_dim) + dim) * 2 + key % 2;
}

// Scratch of a tile: its queries as pairs, its scores in f32, its probabilities as bf16. A row of
// scores is one cache line longer than its keys, so that rows lie in different cache sets; a row of
// probabilities is half as long.

static inline size_t csimd_pair_query_floats(size_t head_dim) {
  size_t pairs = CSIMD_PAIR_TILE * csimd_pair_dims(head_dim);
  return (pairs + CSIMD_PAIR_BLOCK - 1) / CSIMD_PAIR_BLOCK * CSIMD_PAIR_BLOCK;
}

static inline size_t csimd_pair_score_stride(size_t keys) {
  return (csimd_pair_blocks(keys) + 1) * CSIMD_PAIR_BLOCK;
}

/// The contract of a call.
static inline void csimd_check_pairs(const csimd_pair_attention_args *args) {
  assert(args->queries > 0 && args->keys > 0 && args->head_dim > 0 && args->head_dim <= 256);
  assert(!args->causal || args->first_query + args->queries <= args->keys);
  assert((uintptr_t)args->scratch % 64 == 0);
  (void)args;
}

#endif
