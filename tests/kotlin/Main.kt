import java.io.FileInputStream
import java.nio.channels.FileChannel

/** Pushes ids through README's Streamer, and prints what it says of each, a line a step. */
fun main(arguments: Array<String>) {
    val channel = FileInputStream(arguments[0]).channel
    val model = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size())
    var stream = Streamer(model)
    val words = arguments.drop(1)
    for ((place, word) in words.withIndex()) {
        if (place == words.size / 2) {  // Pause it, and go on in another; what goes on does no harm.
            val paused = HashMap(stream.state)
            repeat(3) { stream.push(mapOf("ids" to intArrayOf(7 + it))) }
            stream = Streamer(model)
            stream.state = paused
        }
        for ((name, values) in stream.push(mapOf("ids" to intArrayOf(word.toInt())))) {
            print(name)
            while (values.hasRemaining()) print(" ${values.getFloat()}")
            println()
        }
    }
    stream.reset()
    println("reset ${stream.state.getValue("state_max").getFloat(0)}")
    System.exit(0)
}
