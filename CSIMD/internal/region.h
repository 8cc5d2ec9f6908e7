// SPDX-License-Identifier: Apache-2.0
// Instruction-set regions: functions between BEGIN and END may use the level's instructions.
#ifndef CSIMD_INTERNAL_REGION_H
#define CSIMD_INTERNAL_REGION_H

// A region is a target attribute on every function in it, so one compiler invocation without
// special flags builds all levels. Intrinsics headers are included before a region begins.
//
// Contraction is off for the rest of the file: a multiply and an add fuse only where the source
// says so, on every level alike. Fast-math is never on.
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#define CSIMD_X86 1
#include <immintrin.h>
#else
#define CSIMD_X86 0
#endif

#if defined(__aarch64__)
#define CSIMD_ARM 1
#include <arm_neon.h>
#else
#define CSIMD_ARM 0
#endif

#define CSIMD_PRAGMA(text) _Pragma(#text)
#define CSIMD_REGION(features) \
  CSIMD_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))

#define CSIMD_REGION_AVX2 CSIMD_REGION("avx2,fma,f16c")
#define CSIMD_REGION_AVX512VNNI CSIMD_REGION("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#define CSIMD_REGION_NEONDOT CSIMD_REGION("dotprod")
#define CSIMD_REGION_NEONI8MM CSIMD_REGION("dotprod,i8mm,bf16")
#define CSIMD_REGION_AVX512BF16 \
  CSIMD_REGION("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")
#define CSIMD_REGION_END _Pragma("clang attribute pop")

#define CSIMD_INLINE static inline __attribute__((always_inline))

// Full unrolling of loops whose bounds are constants after inlining.
#define CSIMD_UNROLL _Pragma("clang loop unroll(full)")

#endif
