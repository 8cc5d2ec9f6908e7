// SPDX-License-Identifier: Apache-2.0
// Bodies of pair_store and pair_attention: strips of up to 12 queries, each in three passes.
//
//   1. scores   register tiles of queries × blocks of 16 keys; a chain over pairs of dims
//   2. softmax  over the strip's rows in scratch; exponentials are rounded to bf16 and summed
//   3. values   register tiles of queries × vectors of 16 dims; a chain over pairs of keys
//
// A pair travels as the 32 bits of one lane. Strips of few rows wait for memory and ask for what
// comes next; they pass values in blocks of keys, between which the sums stay in `out`. The
// including file defines, for a strip of R rows, the tile shapes CSIMD_PAIR_ROWS(R) and
// CSIMD_PAIR_VECTORS(R), and
//   pair_add(sum, a, b)  sum + a₁b₁, then + a₀b₀, each fused
#include "../internal/vec_math.h"

// MARK: - Store

/// Rounds to bf16, kept as f32.
CSIMD_INLINE v16 pair_round(v16 x) {
  return v16_from_bf16(v16_to_bf16(x));
}

/// Pairs (even, odd) of 32 consecutive values, of which `n` exist.
CSIMD_INLINE v16 pair_neighbours(const float *x, size_t n) {
  uint16_t bits[32] = {0};
  if (n >= 16) {
    v16_bits16_store(bits, v16_to_bf16(v16_load(x)));
    if (n >= 32) {
      v16_bits16_store(bits + 16, v16_to_bf16(v16_load(x + 16)));
    } else if (n > 16) {
      v16_bits16_store(bits + 16, v16_to_bf16(v16_load_n(x + 16, n - 16)));
    }
  } else {
    v16_bits16_store(bits, v16_to_bf16(v16_load_n(x, n)));
  }
  v16 pairs;
  __builtin_memcpy(&pairs, bits, sizeof pairs);
  return pairs;
}

/// One row of keys into its lane of a block.
CSIMD_INLINE void pair_store_key(const float *k, size_t head_dim, size_t key, uint16_t *keys) {
  size_t pairs = csimd_pair_dims(head_dim);
  for (size_t pair = 0; pair < pairs; pair += 16) {
    size_t left = head_dim - 2 * pair, width = pairs - pair < 16 ? pairs - pair : 16;
    float lanes[16];
    v16_store(lanes, pair_neighbours(k + 2 * pair, left < 32 ? left : 32));
    for (size_t d = 0; d < width; d++) {
      uint16_t *target = keys + csimd_pair_key_index(key, 2 * (pair + d), head_dim);
      __builtin_memcpy(target, lanes + d, sizeof *lanes);
    }
  }
}

/// One row of values beside its neighbour, which stays as it is.
CSIMD_INLINE void pair_store_value(const float *v, size_t head_dim, size_t key, uint16_t *values) {
  size_t value_dims = csimd_pair_value_dims(head_dim);
  float *target = (float *)values + key / 2 * value_dims;
  for (size_t d = 0; d < value_dims; d += 16) {
    size_t left = head_dim - d;
    v16 x = pair_round(left >= 16 ? v16_load(v + d) : v16_load_n(v + d, left));
    v16 old = v16_load(target + d);
    v16 pair =
        key % 2 == 0 ? v16_pair_join(x, v16_pair_high(old)) : v16_pair_join(v16_pair_low(old), x);
    v16_store(target + d, pair);
  }
}

/// Rows from the start of a block on, whole blocks of keys.
CSIMD_INLINE void pair_store_blocks(const float *k,
                                    const float *v,
                                    size_t stride,
                                    size_t tokens,
                                    size_t head_dim,
                                    size_t first,
                                    uint16_t *keys,
                                    uint16_t *values) {
  size_t pairs = csimd_pair_dims(head_dim), value_dims = csimd_pair_value_dims(head_dim);
  float *key_block = (float *)keys + first * pairs;
  for (size_t t = 0; t < tokens; t += CSIMD_PAIR_BLOCK, key_block += CSIMD_PAIR_BLOCK * pairs) {
    size_t height = tokens - t < CSIMD_PAIR_BLOCK ? tokens - t : CSIMD_PAIR_BLOCK;
    for (size_t pair = 0; pair < pairs; pair += 16) {
      size_t left = head_dim - 2 * pair, width = pairs - pair < 16 ? pairs - pair : 16;
      v16 rows[16];
      for (size_t i = 0; i < 16; i++) {
        const float *row = k + (t + i) * stride + 2 * pair;
        rows[i] = i < height ? pair_neighbours(row, left < 32 ? left : 32) : v16_zero();
      }
      v16_transpose(rows);
      for (size_t d = 0; d < width; d++) {
        v16_store(key_block + (pair + d) * CSIMD_PAIR_BLOCK, rows[d]);
      }
    }
    for (size_t i = 0; i < CSIMD_PAIR_BLOCK; i += 2) {
      const float *row = v + (t + i) * stride;
      float *target = (float *)values + (first + t + i) / 2 * value_dims;
      for (size_t d = 0; d < value_dims; d += 16) {
        size_t left = head_dim - d;
        v16 low = v16_zero(), high = v16_zero();
        if (i < height) {
          low = left >= 16 ? v16_load(row + d) : v16_load_n(row + d, left);
        }
        if (i + 1 < height) {
          high = left >= 16 ? v16_load(row + stride + d) : v16_load_n(row + stride + d, left);
        }
        v16_store(target + d, v16_pair_join(pair_round(low), pair_round(high)));
      }
    }
  }
}

void CSIMD_NAME(pair_store)(const float *k,
                            const float *v,
                            size_t stride,
                            size_t tokens,
                            size_t head_dim,
                            size_t first,
                            uint16_t *keys,
                            uint16_t *values) {
  size_t t = 0;
  for (; t < tokens && (first + t) % CSIMD_PAIR_BLOCK != 0; t++) {
    pair_store_key(k + t * stride, head_dim, first + t, keys);
    pair_store_value(v + t * stride, head_dim, first + t, values);
  }
  if (t < tokens) {
    size_t offset = t * stride;
    pair_store_blocks(
        k + offset, v + offset, stride, tokens - t, head_dim, first + t, keys, values);
  }
}

// MARK: - Attention

enum {
  PAIR_READING_ROWS = 4,   // strips of so many rows at most wait for memory
  PAIR_READING_KEYS = 64,  // keys whose values stay in L1 while all their dims pass
  PAIR_CACHE_LINE = 16,    // floats
};

/// One strip of queries.
typedef struct pair_strip {
  const csimd_pair_attention_args *args;
  float *out;
  csimd_pair_range visible[CSIMD_PAIR_TILE];
  size_t first_block, end_block;  // blocks that any query of the strip sees
  float *queries;                 // [rows, pairs] as pairs
  float *scores;                  // [rows, score_stride]
  uint16_t *probabilities;        // [rows, score_stride]
  size_t score_stride, pairs;
  float sums[CSIMD_PAIR_TILE];
} pair_strip;

CSIMD_INLINE void pair_score_tile(
    const pair_strip *s, size_t row, size_t block, const int rows, const int blocks) {
  v16 acc[CSIMD_PAIR_TILE][4];
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    CSIMD_UNROLL
    for (int b = 0; b < blocks; b++) {
      acc[i][b] = v16_zero();
    }
  }
  const float *q = s->queries + row * s->pairs;
  const float *k = (const float *)s->args->k + block * s->pairs * CSIMD_PAIR_BLOCK;
  for (size_t d = 0; d < s->pairs; d++) {
    if (rows <= PAIR_READING_ROWS) {
      // The same share of the next tile, which follows this one.
      const float *next = k + (s->pairs + d) * (size_t)blocks * CSIMD_PAIR_BLOCK;
      CSIMD_UNROLL
      for (int b = 0; b < blocks; b++) {
        __builtin_prefetch(next + b * PAIR_CACHE_LINE, 0, 3);
      }
    }
    v16 keys[4];
    CSIMD_UNROLL
    for (int b = 0; b < blocks; b++) {
      keys[b] = v16_load(k + ((size_t)b * s->pairs + d) * CSIMD_PAIR_BLOCK);
    }
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      v16 value = v16_set(q[(size_t)i * s->pairs + d]);
      CSIMD_UNROLL
      for (int b = 0; b < blocks; b++) {
        acc[i][b] = pair_add(acc[i][b], value, keys[b]);
      }
    }
  }
  v16 scale = v16_set(s->args->scale);
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    float *scores = s->scores + (row + (size_t)i) * s->score_stride + block * CSIMD_PAIR_BLOCK;
    CSIMD_UNROLL
    for (int b = 0; b < blocks; b++) {
      v16_store(scores + b * CSIMD_PAIR_BLOCK, v16_mul(acc[i][b], scale));
    }
  }
}

CSIMD_INLINE void pair_score_strip(const pair_strip *s, const int rows) {
  for (size_t row = 0; row < (size_t)rows; row += CSIMD_PAIR_ROWS(rows)) {
    size_t block = s->first_block;
    for (; block + CSIMD_PAIR_VECTORS(rows) <= s->end_block; block += CSIMD_PAIR_VECTORS(rows)) {
      pair_score_tile(s, row, block, CSIMD_PAIR_ROWS(rows), CSIMD_PAIR_VECTORS(rows));
    }
    for (; block < s->end_block; block++) {
      pair_score_tile(s, row, block, CSIMD_PAIR_ROWS(rows), 1);
    }
  }
}

/// Turns a row of scores into bf16 exponentials and returns their sum.
CSIMD_INLINE float pair_exponentiate(const pair_strip *s, size_t row) {
  float *scores = s->scores + row * s->score_stride;
  uint16_t *p = s->probabilities + row * s->score_stride;
  csimd_pair_range visible = s->visible[row];
  size_t first = visible.first / CSIMD_PAIR_BLOCK * CSIMD_PAIR_BLOCK;
  size_t last = (visible.end - 1) / CSIMD_PAIR_BLOCK * CSIMD_PAIR_BLOCK;
  // Invisible keys of the first and last block score -∞, whose exponential is exactly 0.
  v16 hidden = v16_set(-__builtin_inff());
  v16_store(scores + first, v16_keep(v16_load(scores + first), visible.first - first, 16, hidden));
  v16_store(scores + last, v16_keep(v16_load(scores + last), 0, visible.end - last, hidden));
  v16 largest = hidden;
  for (size_t key = first; key <= last; key += CSIMD_PAIR_BLOCK) {
    largest = v16_max(v16_load(scores + key), largest);
  }
  v16 maximum = v16_set(v16_reduce_max(largest));
  v16 sum = v16_zero();
  for (size_t key = first; key <= last; key += CSIMD_PAIR_BLOCK) {
    v16 e = v16_exp(v16_sub(v16_load(scores + key), maximum));
    v16_bits16_store(p + key, v16_to_bf16(e));
    sum = v16_add(sum, pair_round(e));
  }
  return v16_reduce(sum);
}

/// Adds the pair of keys at `key`, which is even, to the rows of a tile; rows that see one of it or
/// none are told apart when `ragged`.
CSIMD_INLINE void pair_add_keys(v16 (*acc)[4],
                                const pair_strip *s,
                                size_t row,
                                size_t key,
                                size_t dim,
                                const int rows,
                                const int vectors,
                                const bool ragged) {
  size_t value_dims = csimd_pair_value_dims(s->args->head_dim);
  const float *v = (const float *)s->args->v + key / 2 * value_dims + dim;
  const uint16_t *p = s->probabilities + row * s->score_stride + key;
  v16 values[4];
  CSIMD_UNROLL
  for (int j = 0; j < vectors; j++) {
    values[j] = v16_load(v + 16 * j);
  }
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    csimd_pair_range visible = s->visible[row + (size_t)i];
    if (ragged && (key + 1 < visible.first || key >= visible.end)) {
      continue;
    }
    float weights;
    __builtin_memcpy(&weights, p + (size_t)i * s->score_stride, sizeof weights);
    v16 weight = v16_set(weights);
    CSIMD_UNROLL
    for (int j = 0; j < vectors; j++) {
      v16 value = values[j];
      // The weight of a key that is not seen is 0 already, but its value may be anything.
      if (ragged && key < visible.first) {
        value = v16_pair_join(v16_zero(), v16_pair_high(value));
      }
      if (ragged && key + 1 >= visible.end) {
        value = v16_pair_join(v16_pair_low(value), v16_zero());
      }
      acc[i][j] = pair_add(acc[i][j], weight, value);
    }
  }
}

/// Keys of one pass over the values, from an even one on, and what of the chains it is.
typedef struct pair_pass {
  csimd_pair_range keys;
  bool starts, ends;  // chains start from 0; are divided by the sums
} pair_pass;

CSIMD_INLINE size_t pair_within(size_t key, csimd_pair_range range) {
  return key < range.first ? range.first : key > range.end ? range.end : key;
}

CSIMD_INLINE void pair_value_tile(const pair_strip *s,
                                  const pair_pass *pass,
                                  size_t row,
                                  size_t dim,
                                  const int rows,
                                  const int vectors) {
  const csimd_pair_attention_args *args = s->args;
  v16 acc[CSIMD_PAIR_TILE][4];
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    const float *out = s->out + (row + (size_t)i) * args->out_stride + dim;
    CSIMD_UNROLL
    for (int j = 0; j < vectors; j++) {
      size_t left = args->head_dim - dim - 16 * (size_t)j;
      acc[i][j] = pass->starts ? v16_zero()
                  : left >= 16 ? v16_load(out + 16 * j)
                               : v16_load_n(out + 16 * j, left);
    }
  }
  // Rows are consecutive positions: the last sees the furthest, the first the earliest key.
  csimd_pair_range first = s->visible[row], last = s->visible[row + (size_t)rows - 1];
  size_t common = last.first < first.end ? (last.first + 1) / 2 * 2 : last.end;
  size_t key = pair_within(first.first / 2 * 2, pass->keys);
  common = pair_within(common, pass->keys);
  size_t shared = pair_within(first.end / 2 * 2, pass->keys);
  size_t end = pair_within(last.end, pass->keys);
  for (; key < common; key += 2) {
    pair_add_keys(acc, s, row, key, dim, rows, vectors, true);
  }
  size_t value_dims = csimd_pair_value_dims(args->head_dim);
  for (; key < shared; key += 2) {
    if (rows <= PAIR_READING_ROWS && dim == 0) {
      const float *next = (const float *)args->v + (key + PAIR_READING_KEYS) / 2 * value_dims;
      for (size_t d = 0; d < value_dims; d += PAIR_CACHE_LINE) {
        __builtin_prefetch(next + d, 0, 3);
      }
    }
    pair_add_keys(acc, s, row, key, dim, rows, vectors, false);
  }
  for (; key < end; key += 2) {
    pair_add_keys(acc, s, row, key, dim, rows, vectors, true);
  }
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    v16 sum = v16_set(s->sums[row + (size_t)i]);
    float *target = s->out + (row + (size_t)i) * args->out_stride + dim;
    CSIMD_UNROLL
    for (int j = 0; j < vectors; j++) {
      v16 result = pass->ends ? v16_div(acc[i][j], sum) : acc[i][j];
      size_t left = args->head_dim - dim - 16 * (size_t)j;
      if (left >= 16) {
        v16_store(target + 16 * j, result);
      } else {
        v16_store_n(target + 16 * j, result, left);
      }
    }
  }
}

CSIMD_INLINE void pair_value_strip(const pair_strip *s, const int rows) {
  size_t dims = csimd_pair_value_dims(s->args->head_dim);
  const int widest = CSIMD_PAIR_VECTORS(rows);
  size_t first = s->visible[0].first / 2 * 2, end = s->visible[rows - 1].end;
  size_t step = rows <= PAIR_READING_ROWS ? PAIR_READING_KEYS : end - first;
  for (size_t key = first; key < end; key += step) {
    size_t stop = end - key <= step ? end : key + step;
    pair_pass pass = {{key, stop}, key == first, stop == end};
    for (size_t row = 0; row < (size_t)rows; row += CSIMD_PAIR_ROWS(rows)) {
      size_t dim = 0;
      for (; dim + 16 * (size_t)widest <= dims; dim += 16 * (size_t)widest) {
        pair_value_tile(s, &pass, row, dim, CSIMD_PAIR_ROWS(rows), widest);
      }
      for (; dim < dims; dim += 16) {
        pair_value_tile(s, &pass, row, dim, CSIMD_PAIR_ROWS(rows), 1);
      }
    }
  }
}

CSIMD_INLINE void run_pair_strip(const csimd_pair_attention_args *args,
                                 size_t query,
                                 const int rows) {
  float *scratch = args->scratch;
  size_t stride = csimd_pair_score_stride(args->keys);
  pair_strip s = {
      .args = args,
      .out = args->out + query * args->out_stride,
      .queries = scratch,
      .scores = scratch + csimd_pair_query_floats(args->head_dim),
      .score_stride = stride,
      .pairs = csimd_pair_dims(args->head_dim),
  };
  s.probabilities = (uint16_t *)(s.scores + CSIMD_PAIR_TILE * stride);
  for (int i = 0; i < rows; i++) {
    s.visible[i] = csimd_pair_visible(args, query + (size_t)i);
  }
  s.first_block = s.visible[0].first / CSIMD_PAIR_BLOCK;
  s.end_block = csimd_pair_blocks(s.visible[rows - 1].end);
  for (int i = 0; i < rows; i++) {
    const float *q = args->q + (query + (size_t)i) * args->q_stride;
    float *target = s.queries + (size_t)i * s.pairs;
    for (size_t pair = 0; pair < s.pairs; pair += 16) {
      size_t left = args->head_dim - 2 * pair;
      v16 x = pair_neighbours(q + 2 * pair, left < 32 ? left : 32);
      if (s.pairs - pair >= 16) {
        v16_store(target + pair, x);
      } else {
        v16_store_n(target + pair, x, s.pairs - pair);
      }
    }
  }
  pair_score_strip(&s, rows);
  for (int i = 0; i < rows; i++) {
    s.sums[i] = pair_exponentiate(&s, (size_t)i);
  }
  pair_value_strip(&s, rows);
}

void CSIMD_NAME(pair_attention)(const csimd_pair_attention_args *args) {
  csimd_check_pairs(args);
  size_t query = 0;
  for (; query + 12 <= args->queries; query += 12) {
    run_pair_strip(args, query, 12);
  }
  if (query + 8 <= args->queries) {
    run_pair_strip(args, query, 8);
    query += 8;
  }
  if (query + 4 <= args->queries) {
    run_pair_strip(args, query, 4);
    query += 4;
  }
  for (; query < args->queries; query++) {
    run_pair_strip(args, query, 1);
  }
}
