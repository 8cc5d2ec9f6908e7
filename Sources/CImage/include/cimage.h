// SPDX-License-Identifier: Apache-2.0
// Plain functions over libpng, libjpeg and libwebp: the first two leave errors by longjmp, which
// cannot meet Swift, and all three then look alike.

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
///                    them
///   clip_gray16      16-bit grey is min(value, 255) instead of the high byte
///   rgb              [height, width, 3], initialised by the caller
///   message          receives the library's words, NUL-terminated, when the status is not
///                    CIMAGE_OK
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
///                    CIMAGE_OK
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

/// Decodes one lossy or lossless WebP picture to 8-bit RGB.
///
/// The alpha of a lossless picture is dropped; that of a lossy one is in another chunk, unread.
///   chunk            the `VP8 ` or `VP8L` chunk from its name to its end, `count` bytes
///   width, height    what the picture's header says; anything else is CIMAGE_SIZE_MISMATCH
///   allow_truncated  a chunk that ends early is CIMAGE_OK, missing rows staying as `rgb` held them
///   rgb              [height, width, 3] with rows `stride` bytes apart, initialised by the caller
///   stride           at least 3 · width, at most INT32_MAX
///   message          receives what is wrong, NUL-terminated, when the status is not CIMAGE_OK
/// Never crashes, prints or reads outside `chunk`; all of the library's memory is freed on return.
cimage_status cimage_decode_webp(const uint8_t *chunk,
                                 size_t count,
                                 uint32_t width,
                                 uint32_t height,
                                 bool allow_truncated,
                                 uint8_t *rgb,
                                 size_t stride,
                                 char *message,
                                 size_t message_capacity);

/// Encodes 8-bit RGB as a baseline JPEG with halved chroma.
///
///   rgb       [height, width, 3]
///   quality   1 to 100
///   out       receives the file
/// Returns the bytes of the file; 0 when they exceed `capacity` or memory is short.
size_t cimage_encode_jpeg(const uint8_t *rgb,
                          uint32_t width,
                          uint32_t height,
                          int32_t quality,
                          uint8_t *out,
                          size_t capacity);

#ifdef __cplusplus
}
#endif

#pragma clang assume_nonnull end
