// SPDX-License-Identifier: Apache-2.0
// WebP's two kinds of picture data through libwebp; the container around them is read elsewhere.

#include <stdio.h>
#include <webp/decode.h>

#include "cimage.h"

/// Sorts libwebp's results; its NOT_ENOUGH_DATA and SUSPENDED both mean that bytes are missing.
static cimage_status status_of(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_OK:
      return CIMAGE_OK;
    case VP8_STATUS_OUT_OF_MEMORY:
      return CIMAGE_NO_MEMORY;
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return CIMAGE_TRUNCATED;
    default:
      return CIMAGE_CORRUPT;
  }
}

/// The library gives a code and no words.
static const char *words_of(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "the picture data ask for a feature that no decoder has";
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return "the picture data end early";
    default:
      return "the picture data break the format's rules";
  }
}

/// Decodes what there is of a picture that ends early; rows that are not there stay as they were.
static VP8StatusCode decode_available(const uint8_t *chunk,
                                      size_t count,
                                      WebPDecoderConfig *config) {
  WebPIDecoder *decoder = WebPIDecode(NULL, 0, config);
  if (!decoder) {
    return VP8_STATUS_OUT_OF_MEMORY;
  }
  VP8StatusCode code = WebPIUpdate(decoder, chunk, count);
  WebPIDelete(decoder);
  return code == VP8_STATUS_SUSPENDED ? VP8_STATUS_OK : code;
}

cimage_status cimage_decode_webp(const uint8_t *chunk,
                                 size_t count,
                                 uint32_t width,
                                 uint32_t height,
                                 bool allow_truncated,
                                 uint8_t *rgb,
                                 size_t stride,
                                 char *message,
                                 size_t message_capacity) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) {
    snprintf(message, message_capacity, "libwebp is not of the version built for");
    return CIMAGE_CORRUPT;
  }
  VP8StatusCode code = WebPGetFeatures(chunk, count, &config.input);
  if (code != VP8_STATUS_OK) {
    snprintf(message, message_capacity, "%s", words_of(code));
    return status_of(code);
  }
  if ((uint32_t)config.input.width != width || (uint32_t)config.input.height != height) {
    snprintf(message, message_capacity, "the size changed while reading");
    return CIMAGE_SIZE_MISMATCH;
  }
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rgb;
  config.output.u.RGBA.stride = (int)stride;
  config.output.u.RGBA.size = stride * (height - 1) + (size_t)width * 3;
  code =
      allow_truncated ? decode_available(chunk, count, &config) : WebPDecode(chunk, count, &config);
  WebPFreeDecBuffer(&config.output);
  snprintf(message, message_capacity, "%s", words_of(code));
  return status_of(code);
}
