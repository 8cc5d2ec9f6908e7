# SPDX-License-Identifier: Apache-2.0
# Reads a model file with the safetensors package and prints what it holds as JSON.
#
#   read_with_safetensors.py MODEL.sea        exit 77 where the package is not installed
import json
import sys

try:
    from safetensors import safe_open
except ImportError:
    sys.exit(77)

with safe_open(sys.argv[1], framework="np") as file:
    tensors = {}
    for name in file.keys():
        # Bytes are read through the package; types that NumPy lacks stay shapes.
        view = file.get_slice(name)
        tensor = None if view.get_dtype() == "BF16" else file.get_tensor(name)
        tensors[name] = {
            "type": view.get_dtype(),
            "shape": view.get_shape(),
            "sum": None if tensor is None else sum(tensor.tobytes()),
        }
    json.dump({"metadata": file.metadata(), "tensors": tensors}, sys.stdout)
