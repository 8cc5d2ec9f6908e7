// SPDX-License-Identifier: Apache-2.0
// Where attention finds keys, values and scratch, and which keys a query sees.
#ifndef CSIMD_ATTENTION_ATTENTION_LAYOUT_H
#define CSIMD_ATTENTION_ATTENTION_LAYOUT_H

#include "../include/csimd.h"

#include <assert.h>

// Keys are stored in blocks [key / 16][dim][key % 16]; a tile holds at most 12 queries.
enum { CSIMD_KEY_BLOCK = 16, CSIMD_QUERY_TILE = 12 };

/// Keys first … end - 1.
typedef struct csimd_key_range {
  size_t first, end;
} csimd_key_range;

/// Element of the key store for absolute position `key`.
static inline size_t csimd_key_index(size_t key, size_t dim, size_t head_dim) {
  return (key / CSIMD_KEY_BLOCK * head_dim + dim) * CSIMD_KEY_BLOCK + key % CSIMD_KEY_BLOCK;
}

/// Floats between the score rows of two queries in scratch: whole blocks, and one more so that the
/// rows of a tile lie in different cache sets.
static inline size_t csimd_score_stride(size_t keys) {
  return (keys / CSIMD_KEY_BLOCK + 2) * CSIMD_KEY_BLOCK;
}

/// Bytes of a stored key or value element.
static inline size_t csimd_cached_size(csimd_type type) {
  return type == csimd_i8 ? 1 : type == csimd_f16 ? 2 : 4;
}

/// The keys that query `query` of a call sees.
static inline csimd_key_range csimd_visible_keys(const csimd_attention_args *args, size_t query) {
  if (!args->causal) {
    return (csimd_key_range){0, args->keys};
  }
  size_t end = args->first_query + query + 1;
  size_t first = args->window != 0 && end > args->window ? end - args->window : 0;
  return (csimd_key_range){first, end};
}

/// The contract of a call.
static inline void csimd_check_attention(const csimd_attention_args *args) {
  assert(args->queries > 0 && args->keys > 0 && args->head_dim > 0 && args->head_dim <= 256);
  assert(args->kv == csimd_f32 || args->kv == csimd_f16 || args->kv == csimd_i8);
  assert(args->kv != csimd_i8 || (args->k_scales != NULL && args->v_scales != NULL));
  assert(!args->causal || args->first_query + args->queries <= args->keys);
  assert((uintptr_t)args->scratch % 64 == 0);
  (void)args;
}

/// The contract of a store.
static inline void csimd_check_store(csimd_type type,
                                     const float *k_scales,
                                     const float *v_scales) {
  assert(type == csimd_f32 || type == csimd_f16 || type == csimd_i8);
  assert(type != csimd_i8 || (k_scales != NULL && v_scales != NULL));
  (void)type, (void)k_scales, (void)v_scales;
}

#endif
