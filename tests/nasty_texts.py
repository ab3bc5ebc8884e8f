"""Texts that tokenizers stumble over, as bytes."""

import random

import tensorflow as tf

NASTY = [
    text if isinstance(text, bytes) else text.encode()
    for text in (
        "",
        " ",
        "\t\r\n\v\f",
        "Great film!",
        "I don't, she can't; rock'n'roll O'Neil's",
        "'quoted' ''twice'' '''thrice''' 'tis the dogs' '",
        "\u2018curly\u2019 \u201cquotes\u201d, don\u2019t",
        "one<br />two<br/><br>three<BR   />four<br\n/>five<br",
        "<br />'tis<br />\u2019tis'<br />",
        "<i>tags</i> &amp; &#39;entities&#39; <PAD> <START> <UNKNOWN>",
        "well-made, 10/10, 7.5 stars, $3, snake_case, e.g. U.S.A.",
        "caf\u00e9 cafe\u0301 na\u00efve na\u0131ve STRASSE stra\u00dfe \u1e9e",
        "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 \u4e2d\u6587\u3002\u5b8c",
        "\u043e\u0447\u0435\u043d\u044c \u0445\u043e\u0440\u043e\u0448\u043e",
        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
        "\u0645\u0631\u062d\u0628\u0627\u060c \u0639\u0627\u0644\u0645",
        "\u2764\ufe0f love \U0001f600\U0001f44d\U0001f3fd",
        "a family \U0001f468\u200d\U0001f469\u200d\U0001f467 it",
        "\u0301'leading mark",
        "zero\u200bwidth nb\u00a0space ideographic\u3000space line\u2028sep \u0085nel",
        b"bro\xffken \xe2 \xe2\x82 cut\xc3",
        b"\xff\xfe\x80 \xed\xa0\x80 \xf8\x88\x80\x80\x80 \xc0\xaf overlong",
        b"before\x00after <br />",
        b"\x00all gone",
        b"a\xff\x00\xff b",
        "word " * 300,
        "x" * 70_000,
    )
]


def random_texts(count: int) -> list[bytes]:
    """Return texts of pieces that delimiters are made of, in random order."""
    pieces = ["'", "''", "\u2019", " ", "<br />", "<BR/>", "<br", "/>", "\u0301", "\u0907", "a"]
    pieces += [
        "don't",
        "Great",
        "GREAT",
        "7",
        "\u00e9",
        "\U0001f600",
        "\ufe0f",
        "\u200d",
        "\t",
        "-",
    ]
    raw = [piece.encode() for piece in pieces] + [b"\xff", b"\xe2\x82", b"\xc3", b"\x80"]
    draw = random.Random(3)
    return [b"".join(draw.choices(raw, k=draw.randint(1, 20))) for _ in range(count)]


def known_characters() -> list[str]:
    """Return the characters that TensorFlow's RE2 has in its tables, without the largest scripts.

    Letters of a later Unicode version are words to one of two runtimes and not to the other; new
    emoji, like everything unknown, stand between words for both.
    """
    points = [*range(0x1, 0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x1FC00)]
    characters = tf.constant([chr(point) for point in points])
    known = tf.strings.regex_full_match(characters, r"\p{L}|\p{M}|\p{N}|\p{P}|\p{S}|\p{Z}|\p{C}")
    return [text.decode() for text in characters[known].numpy()]
