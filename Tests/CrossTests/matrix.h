// SPDX-License-Identifier: Apache-2.0
// The kernel matrix: every operation of every level against the reference, by bits.
#ifndef CROSS_TESTS_MATRIX_H
#define CROSS_TESTS_MATRIX_H

#include <csimd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// MARK: - Memory between trapping pages

/// Where buffers lie: their first byte after a page that traps, or their last before one.
typedef enum edge { EDGE_LOW, EDGE_HIGH } edge;

/// `bytes` of memory at the current edge; bytes beyond the other edge are watched for stray writes.
void *place(size_t bytes);

/// The same, filled with `bytes` from `data`.
void *place_copy(const void *data, size_t bytes);

/// The same, filled with a value that shows what was not written.
void *place_unwritten(size_t bytes);

// MARK: - Comparison

/// Element types of results; every NaN of a type equals every other.
typedef enum kind { KIND_F32, KIND_F16, KIND_BF16, KIND_BYTES } kind;

/// Gives `count` elements of a result to the comparison.
void emit(const void *data, size_t count, kind type);

/// Runs one call of an operation: places its arguments, calls it through `table`, emits its
/// results. It must do the same for every table.
typedef void run_case(const csimd_infer_table *table, const void *arguments);

/// Compares `run` of the level under test with that of the reference at both edges; `detail` and
/// its arguments say which case it is.
__attribute__((format(printf, 4, 5))) void compare(
    const char *operation, run_case *run, const void *arguments, const char *detail, ...);

// MARK: - Numbers

/// The next of a fixed sequence that `seed` starts.
uint32_t random_bits(void);
void seed_random(uint64_t seed);

/// Uniform within ±limit.
float random_float(float limit);

/// `count` of them in memory of the current case group; freed by the next `seed_random`.
float *random_floats(size_t count, float limit);

/// Memory of the current case group.
void *keep(size_t bytes);

/// Values where rules differ most easily: NaN, infinities, zeros of both signs, subnormals, ties,
/// limits. Anything of `random_bits` in between.
float *special_floats(size_t count);

float float_of_bits(uint32_t bits);

// MARK: - The cases, a function a family

void test_quantize(void);
void test_products(void);
void test_int4_products(void);
void test_float_products(void);
void test_matches(void);
void test_conversions(void);
void test_attention(void);
void test_store(void);
void test_pairs(void);
void test_causal_pairs(void);
void test_norms(void);
void test_activations(void);
void test_rotary(void);
void test_elementwise(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

#endif
