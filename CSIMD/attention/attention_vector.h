// SPDX-License-Identifier: Apache-2.0
// Body of attention: strips of up to 12 queries, each in three passes over the visible keys.
//
//   1. scores   register tiles of queries × blocks of 16 keys; a chain over dims for each score
//   2. softmax  over the strip's rows in scratch
//   3. values   register tiles of queries × vectors of 16 dims; a chain over keys for each output
//
// Keys and values are read once a strip. A chain never depends on the tile that runs it, so the
// bits of a query are the same in any strip. Strips of few rows wait for memory: they ask for what
// comes next, line after line, as tiles read several places of it in turn, and pass values in
// blocks of keys between which the sums stay in `out`. The including file defines, for a strip of R
// rows, the tile shapes CSIMD_SCORE_ROWS(R), CSIMD_SCORE_BLOCKS(R), CSIMD_VALUE_ROWS(R) and
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

enum {
  READING_ROWS = 4,   // strips of so many rows at most wait for memory
  READING_KEYS = 64,  // keys whose values stay in L1 while all their dims pass
  CACHE_LINE = 64,
};

/// Asks for `bytes` at element `index`, whatever lies there.
CSIMD_INLINE void fetch_cached(const void *values,
                               const csimd_type kv,
                               size_t index,
                               size_t bytes) {
  const char *start = (const char *)values + index * csimd_cached_size(kv);
  for (size_t byte = 0; byte < bytes; byte += CACHE_LINE) {
    __builtin_prefetch(start + byte, 0, 3);
  }
}

/// Sixteen stored values at element `index`; `kv` is a constant after inlining.
CSIMD_INLINE v16 load_cached(const void *values, const csimd_type kv, size_t index) {
  switch (kv) {
    case csimd_i8:
      return v16_from_s8(v16_bits8_load((const int8_t *)values + index));
    case csimd_f16:
      return v16_from_f16(v16_bits16_load((const uint16_t *)values + index));
    default:
      return v16_load((const float *)values + index);
  }
}

CSIMD_INLINE v16 load_cached_n(const void *values, const csimd_type kv, size_t index, size_t n) {
  switch (kv) {
    case csimd_i8:
      return v16_from_s8(v16_bits8_load_n((const int8_t *)values + index, n));
    case csimd_f16:
      return v16_from_f16(v16_bits16_load_n((const uint16_t *)values + index, n));
    default:
      return v16_load_n((const float *)values + index, n);
  }
}

// MARK: - Scores

/// Scores of rows row … row + rows - 1 for blocks block … block + blocks - 1.
CSIMD_INLINE void score_tile(const strip *s,
                             size_t row,
                             size_t block,
                             const int rows,
                             const int blocks,
                             const csimd_type kv) {
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
    if (rows <= READING_ROWS && blocks > 1) {
      // The same share of the next tile, which follows this one.
      size_t next = ((block + (size_t)blocks) * dims + d * (size_t)blocks) * CSIMD_KEY_BLOCK;
      fetch_cached(args->k, kv, next, (size_t)blocks * CSIMD_KEY_BLOCK * csimd_cached_size(kv));
    }
    v16 keys[8];
    CSIMD_UNROLL
    for (int b = 0; b < blocks; b++) {
      size_t index = ((block + (size_t)b) * dims + d) * CSIMD_KEY_BLOCK;
      keys[b] = load_cached(args->k, kv, index);
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
      v16 score = acc[i][b];
      if (kv == csimd_i8) {
        score = v16_mul(score, v16_load(args->k_scales + (block + (size_t)b) * CSIMD_KEY_BLOCK));
      }
      v16_store(scores + b * CSIMD_KEY_BLOCK, v16_mul(score, scale));
    }
  }
}

CSIMD_INLINE void score_strip(const strip *s, const int rows, const csimd_type kv) {
  for (size_t row = 0; row < (size_t)rows; row += CSIMD_SCORE_ROWS(rows)) {
    size_t block = s->first_block;
    for (; block + CSIMD_SCORE_BLOCKS(rows) <= s->end_block; block += CSIMD_SCORE_BLOCKS(rows)) {
      score_tile(s, row, block, CSIMD_SCORE_ROWS(rows), CSIMD_SCORE_BLOCKS(rows), kv);
    }
    for (; block < s->end_block; block++) {
      score_tile(s, row, block, CSIMD_SCORE_ROWS(rows), 1, kv);
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

/// Multiplies the exponentials of a row by the scales of the values that they will weigh.
CSIMD_INLINE void weigh(float *scores, const float *scales, csimd_key_range visible) {
  size_t first = visible.first / CSIMD_KEY_BLOCK * CSIMD_KEY_BLOCK;
  for (size_t key = first; key < visible.end; key += CSIMD_KEY_BLOCK) {
    v16_store(scores + key, v16_mul(v16_load(scores + key), v16_load(scales + key)));
  }
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
                          const csimd_type kv,
                          const bool ragged) {
  const csimd_attention_args *args = s->args;
  size_t index = key * args->head_dim + dim;
  v16 values[16];
  CSIMD_UNROLL
  for (int j = 0; j < vectors; j++) {
    values[j] = tail > 0 ? load_cached_n(args->v, kv, index, tail)
                         : load_cached(args->v, kv, index + 16 * (size_t)j);
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

/// Keys of one pass over the values, and what of the chains it is.
typedef struct value_pass {
  csimd_key_range keys;
  bool starts, ends;  // chains start from 0; are divided by the sums
} value_pass;

CSIMD_INLINE size_t within(size_t key, csimd_key_range range) {
  return key < range.first ? range.first : key > range.end ? range.end : key;
}

/// Outputs of `rows` queries for `vectors` · 16 dims from `dim` on; tail > 0: one vector, of which
/// `tail` dims exist.
CSIMD_INLINE void value_tile(const strip *s,
                             const value_pass *pass,
                             const float *sums,
                             size_t row,
                             size_t dim,
                             const int rows,
                             const int vectors,
                             size_t tail,
                             const csimd_type kv) {
  v16 acc[CSIMD_QUERY_TILE][16];
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    const float *out = s->out + (row + (size_t)i) * s->args->out_stride + dim;
    CSIMD_UNROLL
    for (int j = 0; j < vectors; j++) {
      acc[i][j] = pass->starts ? v16_zero()
                  : tail > 0   ? v16_load_n(out, tail)
                               : v16_load(out + 16 * j);
    }
  }
  // Rows are consecutive positions: the last sees the furthest, the first the earliest key.
  csimd_key_range first = s->visible[row], last = s->visible[row + (size_t)rows - 1];
  size_t key = within(first.first, pass->keys);
  size_t common = within(last.first < first.end ? last.first : last.end, pass->keys);
  size_t shared = within(first.end, pass->keys), end = within(last.end, pass->keys);
  const bool reads = rows <= READING_ROWS;
  for (; key < common; key++) {
    add_key(acc, s, row, key, dim, rows, vectors, tail, kv, true);
  }
  for (; key < shared; key++) {
    if (reads && dim == 0) {
      size_t bytes = s->args->head_dim * csimd_cached_size(kv);
      fetch_cached(s->args->v, kv, (key + READING_KEYS) * s->args->head_dim, bytes);
    }
    add_key(acc, s, row, key, dim, rows, vectors, tail, kv, false);
  }
  for (; key < end; key++) {
    add_key(acc, s, row, key, dim, rows, vectors, tail, kv, true);
  }

  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    v16 sum = v16_set(sums[row + (size_t)i]);
    float *out = s->out + (row + (size_t)i) * s->args->out_stride + dim;
    CSIMD_UNROLL
    for (int j = 0; j < vectors; j++) {
      v16 result = pass->ends ? v16_div(acc[i][j], sum) : acc[i][j];
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
                                const value_pass *pass,
                                const float *sums,
                                size_t row,
                                size_t dim,
                                size_t whole,
                                const int rows,
                                const int vectors,
                                const csimd_type kv) {
  for (; dim + 16 * (size_t)vectors <= whole; dim += 16 * (size_t)vectors) {
    value_tile(s, pass, sums, row, dim, rows, vectors, 0, kv);
  }
  return dim;
}

/// All dims of `rows` rows over the keys of a pass.
CSIMD_INLINE void value_dims(const strip *s,
                             const value_pass *pass,
                             const float *sums,
                             size_t row,
                             const int rows,
                             const int widest,
                             const csimd_type kv) {
  size_t dims = s->args->head_dim, whole = dims / 16 * 16, dim = 0;
  if (widest >= 16) {
    dim = value_tiles(s, pass, sums, row, dim, whole, rows, 16, kv);
  }
  if (widest >= 8) {
    dim = value_tiles(s, pass, sums, row, dim, whole, rows, 8, kv);
  }
  if (widest >= 4) {
    dim = value_tiles(s, pass, sums, row, dim, whole, rows, 4, kv);
  }
  if (widest >= 2) {
    dim = value_tiles(s, pass, sums, row, dim, whole, rows, 2, kv);
  }
  dim = value_tiles(s, pass, sums, row, dim, whole, rows, 1, kv);
  if (dim < dims) {
    value_tile(s, pass, sums, row, dim, rows, 1, dims - dim, kv);
  }
}

CSIMD_INLINE void value_strip(const strip *s,
                              const float *sums,
                              const int rows,
                              const csimd_type kv) {
  const int height = CSIMD_VALUE_ROWS(rows), widest = CSIMD_VALUE_VECTORS(rows);
  size_t first = s->visible[0].first, end = s->visible[rows - 1].end;
  size_t step = rows <= READING_ROWS ? READING_KEYS : end - first;
  for (size_t key = first; key < end; key += step) {
    size_t stop = end - key < step ? end : key + step;
    value_pass pass = {{key, stop}, key == first, stop == end};
    for (size_t row = 0; row < (size_t)rows; row += (size_t)height) {
      value_dims(s, &pass, sums, row, height, widest, kv);
    }
  }
}

// MARK: - Strips

CSIMD_INLINE void run_strip(const csimd_attention_args *args,
                            size_t query,
                            const int rows,
                            const csimd_type kv) {
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

  score_strip(&s, rows, kv);
  float sums[CSIMD_QUERY_TILE];
  for (int i = 0; i < rows; i++) {
    float *row = args->scratch + (size_t)i * s.stride;
    sums[i] = exponentiate(row, s.visible[i]);
    if (kv == csimd_i8) {
      weigh(row, args->v_scales, s.visible[i]);
    }
  }
  value_strip(&s, sums, rows, kv);
}

CSIMD_INLINE void run_all(const csimd_attention_args *args, const csimd_type kv) {
  size_t query = 0;
  for (; query + 12 <= args->queries; query += 12) {
    run_strip(args, query, 12, kv);
  }
  if (query + 8 <= args->queries) {
    run_strip(args, query, 8, kv);
    query += 8;
  }
  if (query + 4 <= args->queries) {
    run_strip(args, query, 4, kv);
    query += 4;
  }
  if (query + 2 <= args->queries) {
    run_strip(args, query, 2, kv);
    query += 2;
  }
  if (query < args->queries) {
    run_strip(args, query, 1, kv);
  }
}

void CSIMD_NAME(attention)(const csimd_attention_args *args) {
  csimd_check_attention(args);
  switch (args->kv) {
    case csimd_i8:
      run_all(args, csimd_i8);
      break;
    case csimd_f16:
      run_all(args, csimd_f16);
      break;
    default:
      run_all(args, csimd_f32);
  }
}
