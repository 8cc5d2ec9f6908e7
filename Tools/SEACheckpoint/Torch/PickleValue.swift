// SPDX-License-Identifier: Apache-2.0
// What a tensor pickle describes, as plain data.

package import SEATensor

/// A value of a pickle.
///
/// Containers live in `PickleDocument.objects` and are referred to by index, so
/// that shared, self-referring and deeply nested values cost neither recursion nor copies.
package enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case global(PickleGlobal)
  /// An index into `PickleDocument.objects`.
  case object(Int)
}

/// A container or tensor of a pickle.
package enum PickleObject: Sendable {
  case tuple([PickleValue])
  case list([PickleValue])
  case dictionary([(key: PickleValue, value: PickleValue)])
  case storage(PickleStorage)
  case tensor(PickleTensor)
}

/// A storage that a pickle refers to: the bytes lie in the archive member `data/<key>`.
package struct PickleStorage: Sendable {
  /// The member's name below `data/`.
  package let key: String
  /// Type of the elements; nil when the storage is untyped bytes.
  package let type: ElementType?
  /// Number of elements, or of bytes when untyped.
  package let count: Int
}

/// A tensor as a pickle states it, not yet checked against any bytes.
package struct PickleTensor: Sendable {
  package let storage: PickleStorage
  package let type: ElementType
  /// First element, counted in elements from the start of the storage.
  package let offset: Int
  package let shape: [Int]
  /// Distance between neighbours along each axis, in elements.
  package let strides: [Int]
}

/// A whole pickle: the value left when it stops, and the containers it refers to.
package struct PickleDocument: Sendable {
  package let root: PickleValue
  package let objects: [PickleObject]

  /// The entries of `value` if it is a dictionary.
  package func dictionary(_ value: PickleValue) -> [(key: PickleValue, value: PickleValue)]? {
    guard case .object(let index) = value, case .dictionary(let entries) = objects[index] else {
      return nil
    }
    return entries
  }

  /// `value` as a tensor, if it is one.
  package func tensor(_ value: PickleValue) -> PickleTensor? {
    guard case .object(let index) = value, case .tensor(let tensor) = objects[index] else {
      return nil
    }
    return tensor
  }
}
