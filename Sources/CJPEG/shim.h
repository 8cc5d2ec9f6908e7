// SPDX-License-Identifier: Apache-2.0
// The system's libjpeg-turbo; its headers need size_t and FILE first.

#pragma once

#include <stddef.h>
#include <stdio.h>
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on
