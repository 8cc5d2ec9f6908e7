// SPDX-License-Identifier: Apache-2.0
// Attention and the store that feeds it, for every type of cache.
#include "matrix.h"

enum { BLOCK = 16, SIDE_BY_SIDE = 3 };

static size_t blocks_of(size_t keys) {
  return (keys + BLOCK - 1) / BLOCK;
}

static size_t size_of(csimd_type type) {
  return type == csimd_i8 ? 1 : type == csimd_f16 ? 2 : 4;
}

static kind kind_of(csimd_type type) {
  return type == csimd_i8 ? KIND_BYTES : type == csimd_f16 ? KIND_F16 : KIND_F32;
}

static const char *name_of(csimd_type type) {
  return type == csimd_i8 ? "i8" : type == csimd_f16 ? "f16" : "f32";
}

static const csimd_type types[] = {csimd_f32, csimd_f16, csimd_i8};

// MARK: - Store

typedef struct store_case {
  const float *k, *v;
  size_t tokens, dims, first;
  csimd_type type;
} store_case;

static void run_store(const csimd_infer_table *table, const void *arguments) {
  const store_case *c = arguments;
  size_t stride = c->dims + SIDE_BY_SIDE, size = size_of(c->type);
  size_t keys = c->first + c->tokens, padded = blocks_of(keys) * BLOCK;
  size_t count = ((c->tokens - 1) * stride + c->dims) * sizeof(float);
  float *k = place_copy(c->k, count), *v = place_copy(c->v, count);
  void *blocks = place_unwritten(padded * c->dims * size);
  void *rows = place_unwritten(keys * c->dims * size);
  float *k_scales = NULL, *v_scales = NULL;
  if (c->type == csimd_i8) {
    k_scales = place_unwritten(padded * sizeof(float));
    v_scales = place_unwritten(padded * sizeof(float));
  }
  table->kv_store(
      k, v, stride, c->tokens, c->dims, c->first, c->type, blocks, rows, k_scales, v_scales);
  emit(blocks, padded * c->dims, kind_of(c->type));
  emit(rows, keys * c->dims, kind_of(c->type));
  if (c->type == csimd_i8) {
    emit(k_scales, padded, KIND_F32);
    emit(v_scales, padded, KIND_F32);
  }
}

void test_store(void) {
  static const size_t dims[] = {1, 7, 16, 24, 40, 64, 72, 80, 128, 256};
  static const size_t places[][2] = {{0, 1}, {5, 1}, {0, 16}, {16, 17}, {3, 45}, {15, 2}};
  for (size_t t = 0; t < COUNT(types); t++) {
    for (size_t i = 0; i < COUNT(dims); i++) {
      for (size_t j = 0; j < COUNT(places); j++) {
        seed_random(900 + 10 * i + j);
        store_case c = {
            .tokens = places[j][1], .dims = dims[i], .first = places[j][0], .type = types[t]};
        size_t count = c.tokens * (c.dims + SIDE_BY_SIDE);
        bool special = (i + j) % 2;
        c.k = special ? special_floats(count) : random_floats(count, 3);
        c.v = special ? special_floats(count) : random_floats(count, 3);
        compare("kv_store",
                run_store,
                &c,
                "%s, %zu tokens of %zu from %zu%s",
                name_of(c.type),
                c.tokens,
                c.dims,
                c.first,
                special ? " special" : "");
      }
    }
  }
}

// MARK: - Attention

typedef struct attention_case {
  csimd_attention_args args;  // all but the pointers
  const float *q, *k_scales, *v_scales;
  const void *k, *v;
  bool in_place;
} attention_case;

static void run_attention(const csimd_infer_table *table, const void *arguments) {
  const attention_case *c = arguments;
  csimd_attention_args args = c->args;
  size_t padded = blocks_of(args.keys) * BLOCK, size = size_of(args.kv);
  size_t q_count = (args.queries - 1) * args.q_stride + args.head_dim;
  size_t out_count = (args.queries - 1) * args.out_stride + args.head_dim;
  float *q = place_copy(c->q, q_count * sizeof(float));
  args.q = q;
  args.k = place_copy(c->k, padded * args.head_dim * size);
  args.v = place_copy(c->v, args.keys * args.head_dim * size);
  if (args.kv == csimd_i8) {
    args.k_scales = place_copy(c->k_scales, padded * sizeof(float));
    args.v_scales = place_copy(c->v_scales, padded * sizeof(float));
  }
  args.scratch = place_unwritten(csimd_attention_scratch(args.keys, args.head_dim) * sizeof(float));
  args.out = c->in_place ? q : place_unwritten(out_count * sizeof(float));
  table->attention(&args);
  emit(args.out, out_count, KIND_F32);
}

/// A cache of random keys and values; what nobody stored, and keys before `hidden`, is NaN.
static void fill_cache(attention_case *c, size_t hidden) {
  csimd_attention_args *args = &c->args;
  size_t padded = blocks_of(args->keys) * BLOCK, size = size_of(args->kv), dims = args->head_dim;
  float *k = random_floats(args->keys * dims, 2), *v = random_floats(args->keys * dims, 2);
  for (size_t i = 0; i < hidden * dims; i++) {
    k[i] = v[i] = float_of_bits(i % 2 ? 0x7fc00000 : 0x7f800000);
  }
  void *blocks = keep(padded * dims * size), *rows = keep(padded * dims * size);
  float *k_scales = keep(padded * sizeof(float)), *v_scales = keep(padded * sizeof(float));
  memset(blocks, 0x7f, padded * dims * size);
  memset(k_scales, 0xff, padded * sizeof(float));
  memset(v_scales, 0xff, padded * sizeof(float));
  csimd_infer_table_for(csimd_isa_scalar)
      ->kv_store(k, v, dims, args->keys, dims, 0, args->kv, blocks, rows, k_scales, v_scales);
  c->k = blocks;
  c->v = rows;
  c->k_scales = k_scales;
  c->v_scales = v_scales;
}

typedef struct view {
  size_t queries, keys, first, window;
  bool causal;
} view;

static void compare_attention(
    size_t dims, csimd_type type, view v, size_t seed, const char *words) {
  seed_random(seed);
  attention_case c = {.args = {.queries = v.queries,
                               .keys = v.keys,
                               .first_query = v.first,
                               .window = v.window,
                               .head_dim = dims,
                               .q_stride = dims + 5,
                               .out_stride = seed % 2 ? dims + 5 : dims + 2,
                               .scale = 0.125f,
                               .kv = type,
                               .causal = v.causal},
                      .in_place = seed % 2};
  // Keys that no query's window reaches hold NaN and infinities.
  size_t earliest =
      v.causal && v.window != 0 && v.first + 1 > v.window ? v.first + 1 - v.window : 0;
  c.q = random_floats(v.queries * (dims + 5), 2);
  fill_cache(&c, earliest);
  compare("attention",
          run_attention,
          &c,
          "%s x%zu, %zu queries from %zu, %zu keys, window %zu%s%s",
          name_of(type),
          dims,
          v.queries,
          v.first,
          v.keys,
          v.window,
          v.causal ? " causal" : "",
          words);
}

void test_attention(void) {
  static const size_t dims[] = {1, 7, 16, 24, 40, 64, 72, 80, 128, 256};
  static const view views[] = {
      {1, 1, 0, 0, false},
      {1, 16, 0, 0, false},
      {2, 17, 0, 0, false},
      {4, 31, 0, 0, false},
      {8, 100, 0, 0, false},
      {13, 33, 0, 0, false},
      {27, 64, 0, 0, false},
      {1, 50, 49, 0, true},
      {3, 40, 37, 0, true},
      {7, 60, 20, 0, true},
      {12, 12, 0, 0, true},
      {25, 130, 100, 0, true},
      {5, 90, 80, 7, true},
      {14, 120, 90, 33, true},
      {30, 64, 10, 16, true},
      {12, 200, 180, 1, true},
  };
  for (size_t t = 0; t < COUNT(types); t++) {
    for (size_t i = 0; i < COUNT(dims); i++) {
      for (size_t j = 0; j < COUNT(views); j++) {
        compare_attention(dims[i], types[t], views[j], 1000 + 20 * i + j, "");
      }
    }
    // Far from every tile, and query heads that share a KV head as the queries of one call.
    compare_attention(72, types[t], (view){61, 729, 0, 0, false}, 1300, " far");
    compare_attention(128, types[t], (view){40, 500, 460, 0, true}, 1301, " far");
    for (size_t heads = 2; heads <= 9; heads++) {
      compare_attention(64, types[t], (view){heads, 83, 0, 0, false}, 1310 + heads, " grouped");
    }
  }
  // A query that holds NaN is NaN, its neighbours are not; infinite scores follow IEEE arithmetic.
  seed_random(1400);
  attention_case c = {.args = {.queries = 13,
                               .keys = 40,
                               .head_dim = 20,
                               .q_stride = 20,
                               .out_stride = 20,
                               .scale = 1,
                               .kv = csimd_f32}};
  c.q = special_floats(13 * 20);
  fill_cache(&c, 0);
  compare("attention", run_attention, &c, "special queries");
}
