// SPDX-License-Identifier: Apache-2.0
// Body of attention: strips of up to 12 queries, each in three passes over the visible keys.
//
//   1. scores   register tiles of queries × blocks of 16 keys; a chain over dims for each score
//   2. softmax  over the strip's rows in scratch
//   3. values   register tiles of queries × vectors of 16 dims; a chain over keys for each output
//
// Keys and values are read once a strip. A chain never depends on the tile that runs it, so the
// bits of a query are the same in any strip. The including file defines, for a strip of R rows,
// the tile shapes CSIMD_SCORE_ROWS(R), CSIMD_SCORE_BLOCKS(R), CSIMD_VALUE_ROWS(R) and
// CSIMD_VALUE_VECTORS(R).
#include "../internal/vec_math.h"

/// One strip of queries.
typedef struct strip {
  const csimd_attention_args *args;
  const float *q;
  float *out;
  csimd_key_range visible[CSIMD_QUERY_TILE];
  size_t first_block, end_block;  // blocks that any query of the strip sees
  size_t stride;                  // floats between rows of scores in scratch
} strip;

/// Sixteen stored values at element `index`.
CSIMD_INLINE v16 load_cached(const void *values, const bool half, size_t index) {
  return half ? v16_from_f16(v16_bits16_load((const uint16_t *)values + index))
              : v16_load((const float *)values + index);
}

CSIMD_INLINE v16 load_cached_n(const void *values, const bool half, size_t index, size_t n) {
  return half ? v16_from_f16(v16_bits16_load_n((const uint16_t *)values + index, n))
              : v16_load_n((const float *)values + index, n);
}

// MARK: - Scores

/// Scores of rows row … row + rows - 1 for blocks block … block + blocks - 1.
CSIMD_INLINE void score_tile(
    const strip *s, size_t row, size_t block, const int rows, const int blocks, const bool half) {
  const csimd_attention_args *args = s->args;
  size_t dims = args->head_dim;
  const float *q = s->q + row * args->q_stride;
  v16 acc[CSIMD_QUERY_TILE][8];
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    CSIMD_UNROLL
    for (int b = 0; b < blocks; b++) {
      acc[i][b] = v16_zero();
    }
  }
  for (size_t d = 0; d < dims; d++) {
    v16 keys[8];
    CSIMD_UNROLL
    for (int b = 0; b < blocks; b++) {
      size_t index = ((block + (size_t)b) * dims + d) * CSIMD_KEY_BLOCK;
      keys[b] = load_cached(args->k, half, index);
    }
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      v16 value = v16_set(q[(size_t)i * args->q_stride + d]);
      CSIMD_UNROLL
      for (int b = 0; b < blocks; b++) {
        acc[i][b] = v16_fma(value, keys[b], acc[i][b]);
      }
    }
  }
  v16 scale = v16_set(args->scale);
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    float *scores = args->scratch + (row + (size_t)i) * s->stride + block * CSIMD_KEY_BLOCK;
    CSIMD_UNROLL
    for (int b = 0; b < blocks; b++) {
      v16_store(scores + b * CSIMD_KEY_BLOCK, v16_mul(acc[i][b], scale));
    }
  }
}

CSIMD_INLINE void score_strip(const strip *s, const int rows, const bool half) {
  for (size_t row = 0; row < (size_t)rows; row += CSIMD_SCORE_ROWS(rows)) {
    size_t block = s->first_block;
    for (; block + CSIMD_SCORE_BLOCKS(rows) <= s->end_block; block += CSIMD_SCORE_BLOCKS(rows)) {
      score_tile(s, row, block, CSIMD_SCORE_ROWS(rows), CSIMD_SCORE_BLOCKS(rows), half);
    }
    for (; block < s->end_block; block++) {
      score_tile(s, row, block, CSIMD_SCORE_ROWS(rows), 1, half);
    }
  }
}

// MARK: - Softmax

/// Turns a row of scores into exponentials in place and returns their sum.
CSIMD_INLINE float exponentiate(float *scores, csimd_key_range visible) {
  size_t first = visible.first / CSIMD_KEY_BLOCK * CSIMD_KEY_BLOCK;
  size_t last = (visible.end - 1) / CSIMD_KEY_BLOCK * CSIMD_KEY_BLOCK;
  v16 hidden = v16_set(-__builtin_inff());
  // Invisible keys of the first and last block score -∞, whose exponential is exactly 0.
  v16_store(scores + first, v16_keep(v16_load(scores + first), visible.first - first, 16, hidden));
  v16_store(scores + last, v16_keep(v16_load(scores + last), 0, visible.end - last, hidden));

  v16 largest = hidden;
  for (size_t key = first; key <= last; key += CSIMD_KEY_BLOCK) {
    largest = v16_max(v16_load(scores + key), largest);
  }
  v16 maximum = v16_set(v16_reduce_max(largest));
  v16 sum = v16_zero();
  for (size_t key = first; key <= last; key += CSIMD_KEY_BLOCK) {
    v16 e = v16_exp(v16_sub(v16_load(scores + key), maximum));
    v16_store(scores + key, e);
    sum = v16_add(sum, e);
  }
  return v16_reduce(sum);
}

// MARK: - Values

/// Adds key `key` to the rows of a tile; rows that do not see it are skipped when `ragged`.
CSIMD_INLINE void add_key(v16 (*acc)[16],
                          const strip *s,
                          size_t row,
                          size_t key,
                          size_t dim,
                          const int rows,
                          const int vectors,
                          size_t tail,
                          const bool half,
                          const bool ragged) {
  const csimd_attention_args *args = s->args;
  size_t index = key * args->head_dim + dim;
  v16 values[16];
  CSIMD_UNROLL
  for (int j = 0; j < vectors; j++) {
    values[j] = tail > 0 ? load_cached_n(args->v, half, index, tail)
                         : load_cached(args->v, half, index + 16 * (size_t)j);
  }
  const float *p = args->scratch + row * s->stride + key;
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    csimd_key_range visible = s->visible[row + (size_t)i];
    if (ragged && (key < visible.first || key >= visible.end)) {
      continue;
    }
    v16 weight = v16_set(p[(size_t)i * s->stride]);
    CSIMD_UNROLL
    for (int j = 0; j < vectors; j++) {
      acc[i][j] = v16_fma(weight, values[j], acc[i][j]);
    }
  }
}

/// Outputs of `rows` queries for `vectors` · 16 dims from `dim` on; tail > 0: one vector, of which
/// `tail` dims exist.
CSIMD_INLINE void value_tile(const strip *s,
                             const float *sums,
                             size_t row,
                             size_t dim,
                             const int rows,
                             const int vectors,
                             size_t tail,
                             const bool half) {
  v16 acc[CSIMD_QUERY_TILE][16];
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    CSIMD_UNROLL
    for (int j = 0; j < vectors; j++) {
      acc[i][j] = v16_zero();
    }
  }
  // Rows are consecutive positions: the last sees the furthest, the first the earliest key.
  csimd_key_range first = s->visible[row], last = s->visible[row + (size_t)rows - 1];
  size_t key = first.first;
  size_t common = last.first < first.end ? last.first : last.end;
  for (; key < common; key++) {
    add_key(acc, s, row, key, dim, rows, vectors, tail, half, true);
  }
  for (; key < first.end; key++) {
    add_key(acc, s, row, key, dim, rows, vectors, tail, half, false);
  }
  for (; key < last.end; key++) {
    add_key(acc, s, row, key, dim, rows, vectors, tail, half, true);
  }

  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    v16 sum = v16_set(sums[row + (size_t)i]);
    float *out = s->out + (row + (size_t)i) * s->args->out_stride + dim;
    CSIMD_UNROLL
    for (int j = 0; j < vectors; j++) {
      v16 result = v16_div(acc[i][j], sum);
      if (tail > 0) {
        v16_store_n(out, result, tail);
      } else {
        v16_store(out + 16 * j, result);
      }
    }
  }
}

/// All tiles of `vectors` vectors that fit before `whole`; returns the first dim not done.
CSIMD_INLINE size_t value_tiles(const strip *s,
                                const float *sums,
                                size_t row,
                                size_t dim,
                                size_t whole,
                                const int rows,
                                const int vectors,
                                const bool half) {
  for (; dim + 16 * (size_t)vectors <= whole; dim += 16 * (size_t)vectors) {
    value_tile(s, sums, row, dim, rows, vectors, 0, half);
  }
  return dim;
}

CSIMD_INLINE void value_strip(const strip *s, const float *sums, const int rows, const bool half) {
  size_t dims = s->args->head_dim, whole = dims / 16 * 16;
  const int height = CSIMD_VALUE_ROWS(rows), widest = CSIMD_VALUE_VECTORS(rows);
  for (size_t row = 0; row < (size_t)rows; row += (size_t)height) {
    size_t dim = 0;
    if (widest >= 16) {
      dim = value_tiles(s, sums, row, dim, whole, height, 16, half);
    }
    if (widest >= 8) {
      dim = value_tiles(s, sums, row, dim, whole, height, 8, half);
    }
    if (widest >= 4) {
      dim = value_tiles(s, sums, row, dim, whole, height, 4, half);
    }
    if (widest >= 2) {
      dim = value_tiles(s, sums, row, dim, whole, height, 2, half);
    }
    dim = value_tiles(s, sums, row, dim, whole, height, 1, half);
    if (dim < dims) {
      value_tile(s, sums, row, dim, height, 1, dims - dim, half);
    }
  }
}

// MARK: - Strips

CSIMD_INLINE void run_strip(const csimd_attention_args *args,
                            size_t query,
                            const int rows,
                            const bool half) {
  strip s = {
      .args = args,
      .q = args->q + query * args->q_stride,
      .out = args->out + query * args->out_stride,
      .stride = csimd_score_stride(args->keys),
  };
  for (int i = 0; i < rows; i++) {
    s.visible[i] = csimd_visible_keys(args, query + (size_t)i);
  }
  s.first_block = s.visible[0].first / CSIMD_KEY_BLOCK;
  s.end_block = (s.visible[rows - 1].end + CSIMD_KEY_BLOCK - 1) / CSIMD_KEY_BLOCK;

  score_strip(&s, rows, half);
  float sums[CSIMD_QUERY_TILE];
  for (int i = 0; i < rows; i++) {
    sums[i] = exponentiate(args->scratch + (size_t)i * s.stride, s.visible[i]);
  }
  value_strip(&s, sums, rows, half);
}

CSIMD_INLINE void run_all(const csimd_attention_args *args, const bool half) {
  size_t query = 0;
  for (; query + 12 <= args->queries; query += 12) {
    run_strip(args, query, 12, half);
  }
  if (query + 8 <= args->queries) {
    run_strip(args, query, 8, half);
    query += 8;
  }
  if (query + 4 <= args->queries) {
    run_strip(args, query, 4, half);
    query += 4;
  }
  if (query + 2 <= args->queries) {
    run_strip(args, query, 2, half);
    query += 2;
  }
  if (query < args->queries) {
    run_strip(args, query, 1, half);
  }
}

void CSIMD_NAME(attention)(const csimd_attention_args *args) {
  csimd_check_attention(args);
  if (args->kv == csimd_f16) {
    run_all(args, true);
  } else {
    run_all(args, false);
  }
}

// MARK: - The store

CSIMD_INLINE void store_cached(void *values, const bool half, size_t index, v16 x) {
  if (half) {
    v16_bits16_store((uint16_t *)values + index, v16_to_f16(x));
  } else {
    v16_store((float *)values + index, x);
  }
}

/// Sixteen tokens of keys that fill one block, sixteen dims at a time.
CSIMD_INLINE void store_key_block(
    const float *k, size_t stride, size_t dims, size_t block, const bool half, void *k_blocks) {
  for (size_t dim = 0; dim < dims; dim += 16) {
    size_t width = dims - dim < 16 ? dims - dim : 16;
    v16 rows[16];
    for (size_t t = 0; t < 16; t++) {
      const float *source = k + t * stride + dim;
      rows[t] = width == 16 ? v16_load(source) : v16_load_n(source, width);
    }
    v16_transpose(rows);
    for (size_t d = 0; d < width; d++) {
      store_cached(k_blocks, half, (block * dims + dim + d) * CSIMD_KEY_BLOCK, rows[d]);
    }
  }
}

/// One token of keys, its dims a block width apart.
CSIMD_INLINE void store_key(
    const float *k, size_t dims, size_t key, const bool half, void *k_blocks) {
  for (size_t dim = 0; dim < dims; dim += 16) {
    size_t width = dims - dim < 16 ? dims - dim : 16;
    v16 x = width == 16 ? v16_load(k + dim) : v16_load_n(k + dim, width);
    size_t index = csimd_key_index(key, dim, dims);
    if (half) {
      uint16_t lanes[16];
      v16_bits16_store(lanes, v16_to_f16(x));
      for (size_t d = 0; d < width; d++) {
        ((uint16_t *)k_blocks)[index + d * CSIMD_KEY_BLOCK] = lanes[d];
      }
    } else {
      for (size_t d = 0; d < width; d++) {
        ((float *)k_blocks)[index + d * CSIMD_KEY_BLOCK] = k[dim + d];
      }
    }
  }
}

CSIMD_INLINE void store_value(
    const float *v, size_t dims, size_t key, const bool half, void *v_rows) {
  size_t dim = 0, index = key * dims;
  for (; dim + 16 <= dims; dim += 16) {
    store_cached(v_rows, half, index + dim, v16_load(v + dim));
  }
  if (dim < dims) {
    size_t left = dims - dim;
    v16 x = v16_load_n(v + dim, left);
    if (half) {
      v16_bits16_store_n((uint16_t *)v_rows + index + dim, v16_to_f16(x), left);
    } else {
      v16_store_n((float *)v_rows + index + dim, x, left);
    }
  }
}

CSIMD_INLINE void store_all(const float *k,
                            const float *v,
                            size_t stride,
                            size_t tokens,
                            size_t dims,
                            size_t first,
                            const bool half,
                            void *k_blocks,
                            void *v_rows) {
  for (size_t t = 0; t < tokens;) {
    size_t key = first + t;
    if (key % CSIMD_KEY_BLOCK == 0 && tokens - t >= CSIMD_KEY_BLOCK) {
      store_key_block(k + t * stride, stride, dims, key / CSIMD_KEY_BLOCK, half, k_blocks);
      t += CSIMD_KEY_BLOCK;
    } else {
      store_key(k + t * stride, dims, key, half, k_blocks);
      t += 1;
    }
  }
  for (size_t t = 0; t < tokens; t++) {
    store_value(v + t * stride, dims, first + t, half, v_rows);
  }
}

void CSIMD_NAME(kv_store)(const float *k,
                          const float *v,
                          size_t stride,
                          size_t tokens,
                          size_t head_dim,
                          size_t first,
                          csimd_type type,
                          void *k_blocks,
                          void *v_rows) {
  if (type == csimd_f16) {
    store_all(k, v, stride, tokens, head_dim, first, true, k_blocks, v_rows);
  } else {
    store_all(k, v, stride, tokens, head_dim, first, false, k_blocks, v_rows);
  }
}
