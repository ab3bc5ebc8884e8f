import Foundation

// Pushes ids through README's Streamer, and says on standard error what it gives, a line an output.

func say(_ line: String) { FileHandle.standardError.write((line + "\n").data(using: .utf8)!) }

func floats(_ data: Data) -> [Float] { data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) } }

let path = CommandLine.arguments[1]
let words = CommandLine.arguments.dropFirst(2).map { Int32($0)! }
let stream = try Streamer(modelPath: path)
for (place, word) in words.enumerated() {
    if place == words.count / 2 {  // Pause it, and go on.
        let paused = stream.state
        try stream.reset()
        stream.state = paused
    }
    for (name, data) in try stream.push(["ids": withUnsafeBytes(of: word) { Data($0) }]) {
        say("\(name) " + floats(data).map { "\($0)" }.joined(separator: " "))
    }
}
try stream.reset()
say("reset \(floats(stream.state["state_max"]!)[0])")
