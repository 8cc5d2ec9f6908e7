// SPDX-License-Identifier: Apache-2.0
// Conversions, norms, activations, rotary embedding and sums.
#include "matrix.h"

// MARK: - Conversions

typedef struct span_case {
  const void *x;
  size_t count;
} span_case;

#define WIDENING(name)                                                            \
  static void run_##name(const csimd_infer_table *table, const void *arguments) { \
    const span_case *c = arguments;                                               \
    float *y = place_unwritten(c->count * sizeof(float));                         \
    table->name(place_copy(c->x, c->count * sizeof(uint16_t)), y, c->count);      \
    emit(y, c->count, KIND_F32);                                                  \
  }
#define NARROWING(name, type)                                                     \
  static void run_##name(const csimd_infer_table *table, const void *arguments) { \
    const span_case *c = arguments;                                               \
    uint16_t *y = place_unwritten(c->count * sizeof(uint16_t));                   \
    table->name(place_copy(c->x, c->count * sizeof(float)), y, c->count);         \
    emit(y, c->count, type);                                                      \
  }

WIDENING(bf16_to_f32)
WIDENING(f16_to_f32)
NARROWING(f32_to_bf16, KIND_BF16)
NARROWING(f32_to_f16, KIND_F16)

static void convert(const float *floats, const uint16_t *halves, size_t count) {
  span_case wide = {floats, count}, narrow = {halves, count};
  compare("bf16_to_f32", run_bf16_to_f32, &narrow, "%zu values", count);
  compare("f16_to_f32", run_f16_to_f32, &narrow, "%zu values", count);
  compare("f32_to_bf16", run_f32_to_bf16, &wide, "%zu values", count);
  compare("f32_to_f16", run_f32_to_f16, &wide, "%zu values", count);
}

void test_conversions(void) {
  seed_random(400);
  enum { ALL = 65536 };
  uint16_t *halves = keep(ALL * sizeof *halves);
  for (size_t i = 0; i < ALL; i++) {
    halves[i] = (uint16_t)i;
  }
  float *floats = special_floats(ALL);
  for (size_t count = 0; count <= 50; count++) {
    convert(floats + 17 * count, halves + 31700 + 23 * count, count);
  }
  convert(floats, halves, ALL);
}

// MARK: - Norms

typedef struct norm_case {
  const float *x, *weight, *bias;
  size_t m, k;
  float epsilon;
  bool in_place, centred;
} norm_case;

static void run_norm(const csimd_infer_table *table, const void *arguments) {
  const norm_case *c = arguments;
  size_t stride = c->k + 2, count = (c->m - 1) * stride + c->k;
  float *x = place_copy(c->x, count * sizeof(float));
  float *weight = place_copy(c->weight, c->k * sizeof(float));
  float *bias = place_copy(c->bias, c->k * sizeof(float));
  float *y = c->in_place ? x : place_unwritten(count * sizeof(float));
  if (c->centred) {
    table->layer_norm(x, stride, c->m, c->k, weight, bias, c->epsilon, y, stride);
  } else {
    table->rms_norm(x, stride, c->m, c->k, weight, c->epsilon, y, stride);
  }
  emit(y, count, KIND_F32);
}

void test_norms(void) {
  static const size_t widths[] = {1, 5, 15, 16, 17, 31, 32, 33, 50, 64, 100, 1152};
  for (size_t i = 0; i < COUNT(widths); i++) {
    for (int variant = 0; variant < 4; variant++) {
      seed_random(500 + 4 * i + (size_t)variant);
      norm_case c = {.m = 3, .k = widths[i], .epsilon = 1e-6f, .in_place = variant % 2 == 1};
      size_t count = c.m * (c.k + 2);
      c.x = variant == 3 ? special_floats(count) : random_floats(count, variant == 2 ? 1e-20f : 5);
      c.weight = random_floats(c.k, 2);
      c.bias = random_floats(c.k, 1);
      compare("rms_norm", run_norm, &c, "of %zu, variant %d", c.k, variant);
      c.centred = true;
      compare("layer_norm", run_norm, &c, "of %zu, variant %d", c.k, variant);
    }
  }
}

// MARK: - Activations

typedef struct gate_case {
  const float *x, *up;
  size_t count;
  csimd_activation f;
  int target;  // 0: a buffer of its own, 1: the gate, 2: the other input
} gate_case;

static void run_activate(const csimd_infer_table *table, const void *arguments) {
  const gate_case *c = arguments;
  float *x = place_copy(c->x, c->count * sizeof(float));
  table->activate(c->f, x, c->count);
  emit(x, c->count, KIND_F32);
}

static void run_gate(const csimd_infer_table *table, const void *arguments) {
  const gate_case *c = arguments;
  size_t bytes = c->count * sizeof(float);
  float *x = place_copy(c->x, bytes), *up = place_copy(c->up, bytes);
  float *y = c->target == 0 ? place_unwritten(bytes) : c->target == 1 ? x : up;
  table->gate(c->f, x, up, y, c->count);
  emit(y, c->count, KIND_F32);
}

void test_activations(void) {
  static const csimd_activation functions[] = {
      csimd_gelu_tanh, csimd_gelu_erf, csimd_quick_gelu, csimd_silu};
  for (size_t i = 0; i < COUNT(functions); i++) {
    for (size_t count = 0; count <= 36; count++) {
      seed_random(600 + count);
      gate_case c = {.count = count, .f = functions[i], .target = (int)(count % 3)};
      c.x = count % 2 ? random_floats(count, 20) : special_floats(count);
      c.up = random_floats(count, 3);
      compare("activate", run_activate, &c, "function %zu, %zu values", i, count);
      compare("gate", run_gate, &c, "function %zu, %zu values", i, count);
    }
    seed_random(640);
    gate_case c = {.count = 20000, .f = functions[i]};
    c.x = special_floats(c.count);
    c.up = special_floats(c.count);
    compare("activate", run_activate, &c, "function %zu, special", i);
    compare("gate", run_gate, &c, "function %zu, special", i);
    c.x = random_floats(c.count, 110);
    compare("activate", run_activate, &c, "function %zu, wide", i);
  }
}

// MARK: - Rotary embedding

typedef struct rotary_case {
  const float *x, *cosines, *sines;
  size_t m, heads, dim;
} rotary_case;

static void run_rotary(const csimd_infer_table *table, const void *arguments) {
  const rotary_case *c = arguments;
  size_t stride = c->heads * c->dim + 3, angles = c->dim / 2 + 1;
  size_t count = (c->m - 1) * stride + c->heads * c->dim;
  size_t angle_count = (c->m - 1) * angles + c->dim / 2;
  float *x = place_copy(c->x, count * sizeof(float));
  float *cosines = place_copy(c->cosines, angle_count * sizeof(float));
  float *sines = place_copy(c->sines, angle_count * sizeof(float));
  table->rotary(x, stride, c->m, c->heads, c->dim, cosines, sines, angles);
  emit(x, count, KIND_F32);
}

void test_rotary(void) {
  static const size_t dims[] = {2, 6, 16, 30, 32, 34, 64, 80, 96, 128, 256};
  for (size_t i = 0; i < COUNT(dims); i++) {
    for (size_t heads = 1; heads <= 3; heads += 2) {
      seed_random(700 + 4 * i + heads);
      rotary_case c = {.m = 3, .heads = heads, .dim = dims[i]};
      size_t count = 3 * (heads * c.dim + 3);
      c.x = heads == 1 ? special_floats(count) : random_floats(count, 4);
      c.cosines = random_floats(3 * (c.dim / 2 + 1), 1);
      c.sines = random_floats(3 * (c.dim / 2 + 1), 1);
      compare("rotary", run_rotary, &c, "%zu heads of %zu", heads, c.dim);
    }
  }
}

// MARK: - Sums and multiples

typedef struct sum_case {
  const float *x, *y;
  size_t count;
  float factor;
} sum_case;

static void run_add(const csimd_infer_table *table, const void *arguments) {
  const sum_case *c = arguments;
  float *x = place_copy(c->x, c->count * sizeof(float));
  float *y = place_copy(c->y, c->count * sizeof(float));
  table->add(x, y, c->count);
  emit(y, c->count, KIND_F32);
}

static void run_scale(const csimd_infer_table *table, const void *arguments) {
  const sum_case *c = arguments;
  float *x = place_copy(c->x, c->count * sizeof(float));
  table->scale(c->factor, x, c->count);
  emit(x, c->count, KIND_F32);
}

void test_elementwise(void) {
  for (size_t count = 0; count <= 70; count++) {
    seed_random(800 + count);
    sum_case c = {.count = count, .factor = random_float(3)};
    c.x = special_floats(count);
    c.y = special_floats(count);
    compare("add", run_add, &c, "%zu values", count);
    compare("scale", run_scale, &c, "%zu values", count);
  }
}
