// SPDX-License-Identifier: Apache-2.0
// The ways a description can contradict itself or its tensors.

/// A model's description is not one this runtime can run.
package enum ModelError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A field is absent.
  case missing(field: String, expected: String)
  /// A field has the wrong kind or an impossible value.
  case invalid(field: String, found: String, expected: String)
  /// A tensor that the description needs is absent.
  case missingTensor(name: String)
  /// A tensor that the description does not know.
  case unexpectedTensor(name: String)
  /// A tensor of another type, shape or place than the description says.
  case mismatch(tensor: String, what: String, expected: String, found: String)

  package var description: String {
    switch self {
    case .missing(let field, let expected): "field '\(field)' is missing: expected \(expected)"
    case .invalid(let field, let found, let expected):
      "field '\(field)' is \(found): expected \(expected)"
    case .missingTensor(let name): "tensor '\(name)' is missing"
    case .unexpectedTensor(let name): "tensor '\(name)' is not part of the described model"
    case .mismatch(let tensor, let what, let expected, let found):
      "tensor '\(tensor)': \(what) is \(found), expected \(expected)"
    }
  }
}
