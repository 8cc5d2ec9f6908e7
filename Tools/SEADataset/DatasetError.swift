// SPDX-License-Identifier: Apache-2.0
// The ways a dataset, a picture folder or a sample can be wrong, each told with file and line.

internal import SEAFormat
package import SEATensor

/// Why data were refused.
package enum DatasetError: Error, Equatable, Sendable {
  /// The operating system refused.
  case file(FileError)
  /// The file as a whole is no dataset.
  case notADataset(path: String, problem: String)
  /// A record cannot be used.
  case record(path: String, fault: RecordFault)
  /// More records are bad than the caller accepts.
  case tooManyFaults(path: String, count: Int, records: Int, first: RecordFault)
  /// No record is left to work with.
  case empty(path: String, problem: String)
  /// A picture's path leads out of the folder, or is no path.
  case imageOutside(name: String, root: String, reason: String)
  /// A picture is not there or is no regular file.
  case imageMissing(name: String, path: String)
}

extension DatasetError: CustomStringConvertible {
  /// What is wrong, where, and what was expected; one line.
  package var description: String {
    switch self {
    case .file(let error):
      error.description
    case .notADataset(let path, let problem):
      "\(path.printable(limit: 4096)): \(problem)"
    case .record(let path, let fault):
      "\(path.printable(limit: 4096)):\(fault)"
    case .tooManyFaults(let path, let count, let records, let first):
      "\(path.printable(limit: 4096)): \(count) of \(records) records cannot be used, the first on "
        + "line \(first.line): \(first.problem); 'sea data check' lists them all"
    case .empty(let path, let problem):
      "\(path.printable(limit: 4096)): \(problem)"
    case .imageOutside(let name, let root, let reason):
      "image '\(name.printable())' is refused: \(reason); pictures lie under "
        + root.printable(limit: 4096)
    case .imageMissing(let name, let path):
      "image '\(name.printable())': no such file: \(path.printable(limit: 4096))"
    }
  }
}

/// One thing that is wrong with, or odd about, a record.
package struct RecordFault: Equatable, Sendable, CustomStringConvertible {
  /// Line of the file on which the record starts, counted from 1.
  package let line: Int
  /// The record's id, where it can be read.
  package let id: String?
  /// What is wrong.
  package let problem: String
  /// The record can be used all the same.
  package let isRemark: Bool

  /// A fault, or a remark about a record that can be used.
  package init(line: Int, id: String? = nil, problem: String, isRemark: Bool = false) {
    self.line = line
    self.id = id
    self.problem = problem
    self.isRemark = isRemark
  }

  /// `12: 'GCC_1': no conversation`.
  package var description: String {
    let name = id.map { "'\($0.printable())': " } ?? ""
    return "\(line): \(isRemark ? "note: " : "")\(name)\(problem)"
  }
}
