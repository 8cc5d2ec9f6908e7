// SPDX-License-Identifier: Apache-2.0
// Loops that reach a machine's limits, to measure kernels against; no part of inference.
#ifndef CSIMD_LIMITS_H
#define CSIMD_LIMITS_H

#include "csimd.h"

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

/// What a register loop multiplies.
typedef enum __attribute__((enum_extensibility(closed))) csimd_limit {
  csimd_limit_i8 = 0,    // VPDPBUSD; VPMADDUBSW and VPMADDWD where there is no VNNI
  csimd_limit_bf16 = 1,  // VDPBF16PS
  csimd_limit_f32 = 2,   // FMA
} csimd_limit;

/// True when `isa` on this machine has an instruction for the limit.
bool csimd_limit_available(csimd_limit limit, csimd_isa isa);

/// Repeats independent multiply-adds in registers, touching no memory.
///
///   limit, isa   an available pair
///   iterations   times the loop runs
/// Returns the operations done, a multiply and an add counting as two; 0 when unavailable.
uint64_t csimd_limit_run(csimd_limit limit, csimd_isa isa, uint64_t iterations);

/// Reads every byte once, as one forward stream.
///
///   data   any alignment
///   bytes  a rest of less than 512 bytes is not read
/// Returns the exclusive or of all 64-bit words that were read.
uint64_t csimd_limit_read(const void *data, size_t bytes, csimd_isa isa);

/// Calls of the allocator by all threads so far.
///
/// Returns false when the allocator does not count them (only jemalloc does).
bool csimd_heap_allocations(uint64_t *count);

/// Bytes that the C library's allocator has given out and not got back; 0 where it does not tell.
uint64_t csimd_heap_bytes(void);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
