// SPDX-License-Identifier: Apache-2.0
// The image recipe's fields in a model file.

package import SEAFormat
package import SEAImage

extension ImageRecipe {
  /// Reads the fields from JSON and validates them.
  ///
  /// - Throws: `ModelError` naming the field.
  package init(json: JSONValue, path: String = "recipe") throws(ModelError) {
    let fields = FieldReader(json, path: path)
    let sides = 1...ImageRecipe.maxSide
    var fill: RGBColor?
    if fields.optional("pad_fill") != nil {
      let channels = try fields.ints("pad_fill", in: 0...255, count: 3...3)
      fill = RGBColor(
        red: UInt8(channels[0]),
        green: UInt8(channels[1]),
        blue: UInt8(channels[2])
      )
    }
    var resize: ImageResize?
    if let value = fields.optional("resize") {
      let size = FieldReader(value, path: fields.name("resize"))
      if size.optional("shortest_edge") != nil {
        resize = .shortestEdge(try size.int("shortest_edge", in: sides))
      } else {
        resize = .exact(try ImageSize(size, sides: sides))
      }
    }
    var crop: ImageSize?
    if let value = fields.optional("crop") {
      crop = try ImageSize(FieldReader(value, path: fields.name("crop")), sides: sides)
    }
    self.init(
      name: try fields.string("name"),
      padFill: fill,
      resize: resize,
      crop: crop,
      filter: try fields.choice("filter"),
      rescale: try fields.positive("rescale"),
      mean: try fields.doubles("mean", count: 3),
      std: try fields.doubles("std", count: 3)
    )
    do {
      try validate()
    } catch {
      throw .invalid(field: path, found: "\(error)", expected: "a recipe that can be run")
    }
  }

  /// The fields as JSON.
  package var json: JSONValue {
    var fields: [(key: String, value: JSONValue)] = [("name", .string(name))]
    if let padFill {
      let channels = [padFill.red, padFill.green, padFill.blue]
      fields.append(("pad_fill", .array(channels.map { .number(JSONNumber(Int($0))) })))
    }
    switch resize {
    case .shortestEdge(let side):
      fields.append(("resize", ["shortest_edge": .number(JSONNumber(side))]))
    case .exact(let size): fields.append(("resize", size.json))
    case nil: break
    }
    if let crop { fields.append(("crop", crop.json)) }
    fields.append(("filter", .string(filter.rawValue)))
    fields.append(("rescale", .number(JSONNumber(rescale))))
    fields.append(("mean", .array(mean.map { .number(JSONNumber($0)) })))
    fields.append(("std", .array(std.map { .number(JSONNumber($0)) })))
    return .object(JSONObject(fields))
  }
}

extension ImageSize {
  fileprivate init(_ fields: FieldReader, sides: ClosedRange<Int>) throws(ModelError) {
    self.init(
      height: try fields.int("height", in: sides),
      width: try fields.int("width", in: sides)
    )
  }

  fileprivate var json: JSONValue {
    ["height": .number(JSONNumber(height)), "width": .number(JSONNumber(width))]
  }
}
