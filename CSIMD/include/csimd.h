// SPDX-License-Identifier: Apache-2.0
// CSIMD: single-threaded kernels, one table per instruction set; no allocation, I/O or errors.
#ifndef CSIMD_H
#define CSIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// MARK: - Instruction sets

/// Instruction-set levels, worst first. A level implies the ones below it on the same architecture.
typedef enum __attribute__((enum_extensibility(closed))) csimd_isa {
  csimd_isa_scalar = 0,
  csimd_isa_avx2 = 1,        // AVX2 + FMA + F16C
  csimd_isa_avx512vnni = 2,  // AVX-512 F, BW, DQ, VL, VNNI
  csimd_isa_neondot = 3,     // NEON + DotProd
  csimd_isa_neoni8mm = 4,    // NEON + DotProd, I8MM, BF16
} csimd_isa;

enum { CSIMD_ISA_COUNT = 5 };

/// True when this CPU has the level and the operating system saves its registers.
bool csimd_isa_available(csimd_isa isa);

/// The name users type: "scalar", "avx2", "avx512vnni", "neondot", "neoni8mm".
const char *csimd_isa_name(csimd_isa isa);

/// Tells the CPU that the caller spins.
static inline void csimd_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// MARK: - Argument blocks

/// Element type of weights or of a KV cache.
typedef enum __attribute__((enum_extensibility(closed))) csimd_type {
  csimd_f32 = 0,
  csimd_bf16 = 1,
  csimd_f16 = 2,
  csimd_i8 = 3,  // with a scale for each row; a KV cache only
} csimd_type;

/// Unary activations; `gelu_erf` and `gelu_tanh` are PyTorch's two forms of GELU.
typedef enum __attribute__((enum_extensibility(closed))) csimd_activation {
  csimd_gelu_tanh = 0,
  csimd_gelu_erf = 1,
  csimd_quick_gelu = 2,  // x · sigmoid(1.702 x)
  csimd_silu = 3,
} csimd_activation;

/// Activations quantised per token and per group of inputs.
typedef struct csimd_q8_activations {
  const int8_t *codes;  // [m, row_stride], inputs k … padded_k-1 are 0; any alignment
  const float *scales;  // [m, groups]
  const int32_t *sums;  // [m, groups]: -128 · Σ codes of the group, the accumulator's start
  size_t row_stride;    // bytes between rows of `codes`, ≥ groups · group
  size_t group_stride;  // entries between rows of `scales` and `sums`, ≥ groups
} csimd_q8_activations;

/// A packed int8 matrix [n, k], see internal/q8_panel.h.
typedef struct csimd_q8_weights {
  const void *panels;  // 64-byte aligned
  size_t n, k;         // logical rows and inputs
  size_t group;        // inputs a scale; a multiple of 32
} csimd_q8_weights;

/// Inputs of int4 weights that share a scale: the group of their activations.
enum { CSIMD_Q4_INPUTS = 128 };

/// A packed int4 matrix [n, k], see internal/q4_panel.h.
typedef struct csimd_q4_weights {
  const void *panels;  // 64-byte aligned
  size_t n, k;         // logical rows and inputs
} csimd_q4_weights;

/// Keys and values of one KV head, and the queries of one query head.
///
///   k  blocks of 16 keys: element [key / 16][dim][key % 16]
///   v  [key][dim]
///   k_scales, v_scales  [key], whole blocks; int8 only
/// so scores need no horizontal sums for any head dim, and every element's chain of operations is
/// fixed by absolute positions: query i (absolute position first_query + i) sees keys
/// max(0, position - window + 1) … position when causal, all `keys` when not. Invisible keys and
/// values may hold anything. Query heads that share a KV head at one position are the queries of
/// one call that is not causal.
typedef struct csimd_attention_args {
  const float *q;  // [queries, q_stride]
  const void *k;   // type `kv`
  const void *v;   // type `kv`, row stride head_dim
  const float *_Nullable k_scales;
  const float *_Nullable v_scales;
  float *out;      // [queries, out_stride]
  float *scratch;  // csimd_attention_scratch(keys) floats, 64-byte aligned
  size_t q_stride, out_stride;
  size_t queries;      // ≥ 1
  size_t keys;         // keys stored; causal: ≥ first_query + queries
  size_t first_query;  // absolute position of query 0 (causal only)
  size_t window;       // keys seen at most, 0: unlimited (causal only)
  size_t head_dim;     // 1 … 256
  float scale;         // multiplies q · k
  csimd_type kv;       // csimd_f32, csimd_f16 or csimd_i8
  bool causal;
} csimd_attention_args;

/// Floats of scratch that one attention call needs.
size_t csimd_attention_scratch(size_t keys, size_t head_dim);

/// Queries of one head, with keys and values in bf16, see pair_attention/pair_layout.h.
typedef struct csimd_pair_attention_args {
  const float *q;     // [queries, q_stride]
  const uint16_t *k;  // csimd_pair_keys_size(keys, head_dim) values
  const uint16_t *v;  // csimd_pair_values_size(keys, head_dim) values
  float *out;         // [queries, out_stride]; may be q
  float *scratch;     // csimd_pair_scratch(keys, head_dim) floats, 64-byte aligned
  size_t q_stride, out_stride;
  size_t queries;      // ≥ 1
  size_t keys;         // ≥ 1
  size_t first_query;  // position of query 0, where causal
  size_t window;       // keys that a query sees at most, where causal; 0: no limit
  size_t head_dim;     // 1 … 256
  float scale;         // multiplies q · k
  bool causal;
} csimd_pair_attention_args;

/// bf16 values of room that the keys, and the values, of one head need.
size_t csimd_pair_keys_size(size_t keys, size_t head_dim);
size_t csimd_pair_values_size(size_t keys, size_t head_dim);

/// Floats of scratch that one pair_attention call needs.
size_t csimd_pair_scratch(size_t keys, size_t head_dim);

// MARK: - The inference table

// Every operation gives the same bits on every instruction set: sums run in a fixed order over
// fixed lanes, multiplies and adds are fused explicitly, and exponentials are one shared
// polynomial. Only the sign and payload of a NaN result may differ. Rounding is to nearest and
// subnormals are kept, the state in which threads start.
typedef struct csimd_infer_table {
  csimd_isa isa;
#if defined(__clang__)
#pragma clang assume_nonnull end  // a region may not span an include: the list opens its own
#endif
#define CSIMD_OP(result, name, arguments) result(*name) arguments;
#include "csimd_infer_ops.inc"
#undef CSIMD_OP
#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif
} csimd_infer_table;

/// The table of a level, or null when this CPU or operating system cannot run it.
const csimd_infer_table *_Nullable csimd_infer_table_for(csimd_isa isa);

// MARK: - The training table

/// One operand of a product, [rows, columns] to the product.
typedef struct csimd_operand {
  const void *data;
  size_t stride;    // elements between stored rows
  csimd_type type;  // csimd_f32 or csimd_bf16
  bool transposed;  // stored as [columns, rows]
} csimd_operand;

/// C [m, n] = A [m, k] · B [k, n].
typedef struct csimd_product {
  csimd_operand a;
  csimd_operand b;
  float *c;
  size_t c_stride;
  size_t m, n, k;
  bool accumulate;
  void *scratch;  // CSIMD_PRODUCT_SCRATCH bytes, 64-byte aligned
} csimd_product;

/// Bytes of scratch of one product of any size.
enum { CSIMD_PRODUCT_SCRATCH = 1344 * 1024 };

/// Attention scores of some queries of one head with some keys.
typedef struct csimd_scores {
  float *s;  // [queries, stride]
  size_t stride;
  size_t queries, keys;
  size_t first_query, first_key;  // absolute positions
  size_t window;
  float scale;
  bool causal;
} csimd_scores;

/// The numbers of an AdamW step, see csimd_train_ops.inc.
typedef struct csimd_adamw {
  float clip;     // multiplies the gradient
  float decay;    // 1 - lr · weight decay
  float rest1;    // 1 - β1
  float beta2;    // β2
  float rest2;    // 1 - β2
  float step;     // lr / (1 - β1^t)
  float root;     // 1 / √(1 - β2^t)
  float epsilon;  // added to the root
} csimd_adamw;

typedef struct csimd_train_table {
  csimd_isa isa;
  bool multiplies_bf16;  // bf16_product uses the processor's own bf16 products
#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
#define CSIMD_OP(result, name, arguments) result(*name) arguments;
#include "csimd_train_ops.inc"
#undef CSIMD_OP
#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif
} csimd_train_table;

/// The training table of a level, or null when this CPU or operating system cannot run it. The best
/// level multiplies bf16 itself where the CPU can.
const csimd_train_table *_Nullable csimd_train_table_for(csimd_isa isa);

/// The same without the processor's own bf16 products.
const csimd_train_table *_Nullable csimd_train_table_widening(csimd_isa isa);

/// True when this CPU has AVX-512 BF16 beside the level avx512vnni.
bool csimd_bf16_available(void);

// MARK: - Packing (host side, no instruction set)

/// Bytes of a packed [n, k] matrix with `group` inputs a scale.
size_t csimd_q8_packed_bytes(size_t n, size_t k, size_t group);

/// A row stride in bytes for activation codes of `k` inputs: an odd number of cache lines, so that
/// the rows of a tile lie in different cache sets.
size_t csimd_q8_row_stride(size_t k, size_t group);

/// Quantises up to 32 rows of `w` (f32 [rows, k], row stride `w_stride`) into one panel.
///
/// scale = absmax / 127, code = w / scale rounded to nearest even and clamped to ±127; an all-zero
/// group has scale 0, NaN counts as 0. Padding rows and inputs are written.
///
/// Returns the squared error in `error` and the squared sum of the weights in `energy` when given.
void csimd_q8_pack_panel(const float *w,
                         size_t w_stride,
                         size_t rows,
                         size_t k,
                         size_t group,
                         void *panel,
                         double *_Nullable error,
                         double *_Nullable energy);

/// Writes row `row` of a packed matrix as f32 [k].
void csimd_q8_unpack_row(const csimd_q8_weights *w, size_t row, float *out);

/// Bytes of a packed int4 [n, k] matrix.
size_t csimd_q4_packed_bytes(size_t n, size_t k);

/// Bytes of scratch that one q4_gemm of `k` inputs needs.
size_t csimd_q4_scratch(size_t k);

/// Quantises up to 32 rows of `w` (f32 [rows, k], row stride `w_stride`) into one int4 panel.
///
/// Scale and factors of each row and block of 128 inputs are those of the least squared error among
/// six scales and three factors a group; ties go to the first. An all-zero group has factor 0; NaN
/// counts as 0, infinities as the largest finite value; weights beyond ±122,000 saturate. Padding
/// rows and inputs are written.
///
/// Returns the squared error in `error` and the squared sum of the weights in `energy` when given.
void csimd_q4_pack_panel(const float *w,
                         size_t w_stride,
                         size_t rows,
                         size_t k,
                         void *panel,
                         double *_Nullable error,
                         double *_Nullable energy);

/// Writes row `row` of a packed int4 matrix as f32 [k].
void csimd_q4_unpack_row(const csimd_q4_weights *w, size_t row, float *out);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
