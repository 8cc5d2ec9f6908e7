// SPDX-License-Identifier: Apache-2.0
// How each tensor is stored, by role, with exceptions by name.

package import SEAFormat

/// How a weight matrix is stored.
package enum WeightStorage: Sendable, Equatable, Hashable {
  case float32
  case bfloat16
  /// int8 codes with a scale per output row and group of inputs; nil: one scale per row.
  case int8(group: Int?)
  /// int4 codes in groups of 32 inputs.
  case int4

  /// Name in files and messages: `f32`, `bf16`, `int8/128`, `int8/row`, `int4/32`.
  package var name: String {
    switch self {
    case .float32: "f32"
    case .bfloat16: "bf16"
    case .int8(let group): group.map { "int8/\($0)" } ?? "int8/row"
    case .int4: "int4/32"
    }
  }

  /// The storage of a name.
  package init?(name: String) {
    switch name {
    case "f32": self = .float32
    case "bf16": self = .bfloat16
    case "int8/row": self = .int8(group: nil)
    case "int4/32": self = .int4
    default:
      guard name.hasPrefix("int8/"), let group = Int(name.dropFirst(5)),
        Self.groups.contains(group)
      else { return nil }
      self = .int8(group: group)
    }
  }

  /// Group sizes that can be chosen.
  package static let groups = [32, 64, 128]
}

/// What a tensor does, which decides how precisely it is stored.
package enum TensorRole: String, Sendable, CaseIterable {
  case patchEmbedding = "patch"
  case encoderLinear = "vision"
  case textTowerLinear = "vtext"
  case jointLinear = "joint"
  case adapterLinear = "adapter"
  case embeddingTable = "embedding"
  case languageLinear = "llm"
  case languageHead = "head"
  /// Norms, biases, positions: always f32.
  case vector = "vector"

  /// True for roles that every model file states; files from before the others have no such tensors.
  var isRequired: Bool { self != .textTowerLinear && self != .jointLinear }
}

/// Storage per role, and for single tensors that need another one.
package struct PrecisionPolicy: Sendable, Equatable {
  private var roles: [TensorRole: WeightStorage]

  /// Tensors stored otherwise than their role says.
  package var exceptions: [String: WeightStorage]

  /// The same storage for every matrix.
  package init(all storage: WeightStorage) {
    roles = [:]
    for role in TensorRole.allCases where role != .vector { roles[role] = storage }
    exceptions = [:]
  }

  /// The default int8 policy: the adapter, which carries all that alignment trained, the patch
  /// embedding, whose inputs are raw pixels, and the projections into the joint space, whose outputs
  /// are compared as they are, stay bf16; together they are under 1 % of the bytes.
  package static func int8(group: Int?) -> PrecisionPolicy {
    var policy = PrecisionPolicy(all: .int8(group: group))
    policy.roles[.adapterLinear] = .bfloat16
    policy.roles[.patchEmbedding] = .bfloat16
    policy.roles[.jointLinear] = .bfloat16
    return policy
  }

  /// The default int4 policy: the language model, whose weights every token reads, is int4 with its
  /// embedding table and head; towers are int8 in groups of 128, because their bytes are read once a
  /// picture; the rest is as in the int8 policy.
  package static var int4: PrecisionPolicy {
    var policy = int8(group: 128)
    policy.roles[.embeddingTable] = .int4
    policy.roles[.languageLinear] = .int4
    policy.roles[.languageHead] = .int4
    return policy
  }

  /// The storage of a tensor.
  package func storage(of name: String, role: TensorRole) -> WeightStorage {
    exceptions[name] ?? roles[role] ?? .float32
  }

  /// Reads a policy from a model file.
  ///
  /// - Throws: `ModelError` naming the field.
  package init(json: JSONValue, path: String = "quantization") throws(ModelError) {
    let fields = FieldReader(json, path: path)
    self.init(all: .float32)
    for role in TensorRole.allCases where role != .vector {
      guard role.isRequired || fields.optional(role.rawValue) != nil else { continue }
      roles[role] = try Self.storage(
        try fields.string(role.rawValue),
        field: fields.name(role.rawValue)
      )
    }
    guard let listed = fields.optional("exceptions") else { return }
    guard let object = listed.object else {
      throw .invalid(field: fields.name("exceptions"), found: listed.kind, expected: "an object")
    }
    for entry in object.entries {
      let field = "\(fields.name("exceptions")).\(entry.key)"
      guard let name = entry.value.string else {
        throw .invalid(field: field, found: entry.value.kind, expected: "a string")
      }
      exceptions[entry.key] = try Self.storage(name, field: field)
    }
  }

  /// The policy as JSON.
  package var json: JSONValue {
    var fields: [(String, JSONValue)] = []
    for role in TensorRole.allCases where role != .vector {
      fields.append((role.rawValue, .string((roles[role] ?? .float32).name)))
    }
    if !exceptions.isEmpty {
      let listed = exceptions.sorted { $0.key < $1.key }.map {
        ($0.key, JSONValue.string($0.value.name))
      }
      fields.append(("exceptions", .object(JSONObject(listed))))
    }
    return .object(JSONObject(fields))
  }

  private static func storage(_ name: String, field: String) throws(ModelError) -> WeightStorage {
    guard let storage = WeightStorage(name: name) else {
      throw .invalid(
        field: field,
        found: "'\(name)'",
        expected: "f32, bf16, int8/32, int8/64, int8/128, int8/row or int4/32"
      )
    }
    return storage
  }
}
