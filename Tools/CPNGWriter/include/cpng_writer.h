// SPDX-License-Identifier: Apache-2.0
// One plain function over libpng's writer, whose errors leave by longjmp and cannot meet Swift.

#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

#ifdef __cplusplus
extern "C" {
#endif

/// How an encoding ended.
typedef enum cpng_status {
  CPNG_OK = 0,
  /// The picture takes more than the bytes of `out`.
  CPNG_NO_ROOM = 1,
  /// The library could not have the memory it asked for.
  CPNG_NO_MEMORY = 2,
  /// A size, a level or a text that a PNG cannot have.
  CPNG_REFUSED = 3,
} cpng_status;

/// Encodes 8-bit RGB as a PNG with one text chunk.
///   rgb            [height, width, 3], red first
///   width, height  1 ... 16384
///   level          zlib's, 0 ... 9
///   key, text      NUL-terminated Latin-1; key of 1 ... 79 characters
///   out            receives the file, at most `capacity` bytes
///   count          receives the bytes of the file when the status is CPNG_OK
/// The same picture gives the same bytes with the same zlib. Never crashes or prints; all of the
/// library's memory is freed on return.
cpng_status cpng_encode_rgb(const uint8_t *rgb,
                            uint32_t width,
                            uint32_t height,
                            int level,
                            const char *key,
                            const char *text,
                            uint8_t *out,
                            size_t capacity,
                            size_t *count);

#ifdef __cplusplus
}
#endif

#pragma clang assume_nonnull end
