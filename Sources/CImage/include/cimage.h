// SPDX-License-Identifier: Apache-2.0
// Plain functions over libpng and libjpeg, whose errors leave by longjmp and so cannot meet Swift.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

#ifdef __cplusplus
extern "C" {
#endif

/// How a decoding ended.
typedef enum cimage_status {
  CIMAGE_OK = 0,
  /// The bytes break the format's rules.
  CIMAGE_CORRUPT = 1,
  /// The bytes end before the picture does.
  CIMAGE_TRUNCATED = 2,
  /// The picture is not of the size the caller read from its header.
  CIMAGE_SIZE_MISMATCH = 3,
  /// The library could not have the memory it asked for.
  CIMAGE_NO_MEMORY = 4,
} cimage_status;

/// Decodes a PNG to 8-bit RGB.
///
/// Alpha is dropped, transparency and colour-space chunks are skipped unread, 16-bit samples keep
/// their high byte.
///   bytes            the whole file, `count` bytes
///   width, height    what the header says; anything else is CIMAGE_SIZE_MISMATCH
///   allow_truncated  a file that ends early is CIMAGE_OK, missing samples staying as `rgb` held
///   them clip_gray16      16-bit grey is min(value, 255) instead of the high byte rgb [height,
///   width, 3], initialised by the caller message          receives the library's words,
///   NUL-terminated, when the status is not CIMAGE_OK
/// Never crashes, prints or reads outside `bytes`; all of the library's memory is freed on return.
cimage_status cimage_decode_png(const uint8_t *bytes,
                                size_t count,
                                uint32_t width,
                                uint32_t height,
                                bool allow_truncated,
                                bool clip_gray16,
                                uint8_t *rgb,
                                char *message,
                                size_t message_capacity);

/// Decodes a JPEG to 8-bit RGB with the accurate integer inverse DCT and smooth chroma upsampling.
///
/// Grey is repeated; CMYK and YCCK are read as inverted, as Adobe writes them, and converted.
///   bytes            the whole file, `count` bytes
///   width, height    what the header says; anything else is CIMAGE_SIZE_MISMATCH
///   max_scans        a file with more scans is CIMAGE_CORRUPT
///   allow_truncated  a file that ends early is CIMAGE_OK, missing blocks being grey
///   rgb              [height, width, 3], initialised by the caller
///   message          receives the library's words, NUL-terminated, when the status is not
///   CIMAGE_OK
/// Warnings that stand for lost or invented picture data are errors; others are ignored.
/// Never crashes, prints or reads outside `bytes`; all of the library's memory is freed on return.
cimage_status cimage_decode_jpeg(const uint8_t *bytes,
                                 size_t count,
                                 uint32_t width,
                                 uint32_t height,
                                 int32_t max_scans,
                                 bool allow_truncated,
                                 uint8_t *rgb,
                                 char *message,
                                 size_t message_capacity);

#ifdef __cplusplus
}
#endif

#pragma clang assume_nonnull end
