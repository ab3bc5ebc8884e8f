import Foundation

// Stands in for the library of that name, TensorFlowLiteSwift: what README's Swift calls of it,
// declared as the library's sources declare it (Interpreter.swift, SignatureRunner.swift and
// Tensor.swift of TensorFlow), answered by LiteRT for Python (step_worker.py): questions go to
// standard output, answers come from standard input.

public final class Interpreter {
    fileprivate var shapes: [String: [String: Tensor.Shape]] = ["input": [:], "output": [:]]
    fileprivate var names: [String: [String]] = ["input": [], "output": []]

    public struct Options {
        public var threadCount: Int?
        public init() {}
    }

    public init(modelPath: String, options: Options? = nil) throws {
        ask(hex(try Data(contentsOf: URL(fileURLWithPath: modelPath))))
        while let line = readLine(), !line.isEmpty {
            let about = line.split(separator: " ").map(String.init)
            names[about[0]]!.append(about[1])
            shapes[about[0]]![about[1]] = Tensor.Shape(about.dropFirst(4).map { Int($0)! })
        }
    }

    public func signatureRunner(with key: String) throws -> SignatureRunner {
        guard key == "step" else {
            throw SignatureRunnerError.failedToCreateSignatureRunner(signatureKey: key)
        }
        return SignatureRunner(interpreter: self)
    }
}

public final class SignatureRunner {
    private let interpreter: Interpreter
    private var results: [String: Data] = [:]

    public var inputs: [String] { interpreter.names["input"]! }
    public var outputs: [String] { interpreter.names["output"]! }

    fileprivate init(interpreter: Interpreter) { self.interpreter = interpreter }

    public func invoke(with inputs: [String: Data]) throws {
        for (name, data) in inputs {
            let tensor = try input(named: name)
            let required = 4 * tensor.shape.dimensions.reduce(1, *)  // float32 and int32
            guard data.count == required else {
                throw SignatureRunnerError.invalidTensorDataCount(
                    provided: data.count, required: required)
            }
            ask("\(name) \(hex(data))")
        }
        ask("run")
        for _ in outputs {
            let answer = readLine()!.split(separator: " ").map(String.init)
            results[answer[0]] = unhex(answer[1])
        }
    }

    public func input(named name: String) throws -> Tensor { try tensor("input", name, Data()) }

    public func output(named name: String) throws -> Tensor {
        try tensor("output", name, results[name] ?? Data())
    }

    private func tensor(_ kind: String, _ name: String, _ data: Data) throws -> Tensor {
        guard let shape = interpreter.shapes[kind]![name] else {
            throw SignatureRunnerError.failedToGetTensor(tensorType: kind, nameInSignature: name)
        }
        return Tensor(shape: shape, data: data)
    }
}

public struct Tensor {
    public let shape: Shape
    public let data: Data

    public struct Shape {
        public let dimensions: [Int]
        public init(_ dimensions: [Int]) { self.dimensions = dimensions }
    }
}

public enum SignatureRunnerError: Error {
    case failedToCreateSignatureRunner(signatureKey: String)
    case failedToGetTensor(tensorType: String, nameInSignature: String)
    case invalidTensorDataCount(provided: Int, required: Int)
}

private func ask(_ line: String) {
    FileHandle.standardOutput.write((line + "\n").data(using: .utf8)!)
}

private let digits = Array("0123456789abcdef".utf8)

private func hex(_ data: Data) -> String {
    String(decoding: data.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

private func unhex(_ text: String) -> Data {
    let values = text.utf8.map { UInt8(digits.firstIndex(of: $0)!) }
    return Data(stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] })
}
