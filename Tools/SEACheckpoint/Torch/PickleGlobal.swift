// SPDX-License-Identifier: Apache-2.0
// The few names a tensor pickle may mention; each is a symbol, none is ever imported.

package import SEATensor

/// A whitelisted global of a torch pickle, understood symbolically.
package enum PickleGlobal: Sendable, Equatable {
  /// `collections.OrderedDict`: an empty dictionary when called.
  case orderedDictionary
  /// `torch._utils._rebuild_tensor`: storage, offset, shape, strides.
  case rebuildTensor
  /// `torch._utils._rebuild_tensor_v2`: the same, then grad flag and hooks.
  case rebuildTensorV2
  /// `torch._utils._rebuild_tensor_v3`: the same over an untyped storage, then the element type.
  case rebuildTensorV3
  /// `torch._utils._rebuild_parameter`: the tensor it wraps.
  case rebuildParameter
  /// `torch.Size`: the tuple it wraps.
  case size
  /// A typed storage class.
  case storage(ElementType)
  /// `torch.storage.UntypedStorage`: bytes.
  case untypedStorage
  /// A dtype, as the third form of tensor names it.
  case elementType(ElementType)

  /// The symbol for a name, or nil for every name a tensor file has no business to mention.
  init?(module: String, name: String) {
    guard let symbol = Self.table[module + "." + name] else { return nil }
    self = symbol
  }

  private static let table: [String: Self] = [
    "collections.OrderedDict": .orderedDictionary,
    "torch._utils._rebuild_tensor": .rebuildTensor,
    "torch._utils._rebuild_tensor_v2": .rebuildTensorV2,
    "torch._utils._rebuild_tensor_v3": .rebuildTensorV3,
    "torch._utils._rebuild_parameter": .rebuildParameter,
    "torch.Size": .size,
    "torch.DoubleStorage": .storage(.float64),
    "torch.FloatStorage": .storage(.float32),
    "torch.HalfStorage": .storage(.float16),
    "torch.BFloat16Storage": .storage(.bfloat16),
    "torch.LongStorage": .storage(.int64),
    "torch.IntStorage": .storage(.int32),
    "torch.ShortStorage": .storage(.int16),
    "torch.CharStorage": .storage(.int8),
    "torch.ByteStorage": .storage(.uint8),
    "torch.BoolStorage": .storage(.bool),
    "torch.storage.UntypedStorage": .untypedStorage,
    "torch.float64": .elementType(.float64),
    "torch.float32": .elementType(.float32),
    "torch.float16": .elementType(.float16),
    "torch.bfloat16": .elementType(.bfloat16),
    "torch.int64": .elementType(.int64),
    "torch.int32": .elementType(.int32),
    "torch.int16": .elementType(.int16),
    "torch.int8": .elementType(.int8),
    "torch.uint8": .elementType(.uint8),
    "torch.bool": .elementType(.bool),
  ]
}
