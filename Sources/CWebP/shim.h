// SPDX-License-Identifier: Apache-2.0
// The system's libwebp, decoder only.

#pragma once

#include <webp/decode.h>
