"""Input that means no good: texts, numbers and bytes, made from scratch or by spoiling what is good."""

import json

TEXTS = (
    "", " ", "x", "w[0]", "layers[0].neurons[0].b", "neurons[" + 5000 * "9" + "]", "²", "１", "é", "e\u0301",
    "日本語 🎉",
    'quo"te', "quo'te", "'''", '"""', "back\\slash \\N \\G \\", "\\", "{record|<port> shape}", "{features}",
    "%s %n {0}", "<b>bold</b>", "<script>window.__pwned = 1</script>", "</script><script>window.__pwned = 1</script>",
    "<!--<script>", "<img src=x onerror=window.__pwned=1>", '" onmouseover="window.__pwned=1',
    "' autofocus onfocus='window.__pwned=1", "<svg onload=window.__pwned=1>",
    "<svg><a xlink:href='javascript:window.__pwned=1'>x</a></svg>", "</title>", "</style>",
    "javascript:window.__pwned=1", "data:text/html,<script>window.__pwned=1</script>", "<iframe srcdoc='<script>'>",
    "{{7*7}}", "{% raw %}", "${7*7}", "]]>", "<![CDATA[", "-->", "&lt;script&gt;", "&amp; &foo; &#0; &#x1; &#60;",
    "&quot;", "</td></table>>]; evil [label=<", "URL=\"javascript:window.__pwned=1\"", "; rm -rf /", "$(id)", "`id`",
    "| id", "=1+1", "@SUM(A1)", "a\nb", "a\r\nb", "a\tb", "\0", "a\0b", "\x1b[31mred\x1b[0m", "\x07", "\x7f", "\x85",
    "\u2028", "\u2029", "\u202eright to left\u202c", "\u200fעברית", "\u200b", "\ufeff", "\ufffe", "\uffff", "\ud800",
    "\udcff", "\U0010ffff", "../../etc/passwd", "/dev/stdin", "C:\\x", "~", "-", "--", "-x", "--help", "NaN", "null",
    "true", "None", "__class__", "__import__('os').system('id')", "lambda: 0", "?", "??/", "*/", "//", "#", "%", ",",
    ";", "a,b", "a;b", "a=b", "a&b", "a" * 39, "a" * 40, "a" * 41, "<" * 41, "\\" * 41, "&" * 300, "日" * 300,
)  # fmt: skip
NUMBERS = (
    "0", "1", "-1", "2", "3", "0.5", "1e3", "1e999", "-1e999", "1e-999", "5e-324", "1.7976931348623157e308", "1e308",
    "-1e308", "nan", "-nan", "inf", "-inf", "Infinity", "NaN", "0x", "0x10", "0b1", "0o7", "1_000", "1__0", "01",
    "+1", "--1", "1.", ".5", ".", "-", "1e", "e1", "1,5", "1 000", "１", "١٢", "²", "½", "Ⅷ", "1j", "1.0f", "True",
    "9" * 20, "9" * 400, "9" * 5000, "0." + "1" * 5000, "1e" + "9" * 50, " 1 ", "\t1", "1\0", "4294967295",
    "4294967296", "9007199254740993", "1000000000000", "0.1", "16", "16,16", "none", "2,", ",", "",
)  # fmt: skip
LARGE = 10**400
HUGE = 10**4000  # beyond what Python writes
SIZES = (2, 10, 100, 1_000, 10_000)
PIECES = (
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n", b'"', b"'", b",", b";", b"\t", b"[", b"{", b"]", b"}",
    b"<", b"</script>", b"1e999", b"nan", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xae", b"\\u0000", b"\\",
    b"\x80\x04\x95", b"PK\x03\x04", b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7,
)  # fmt: skip


def text(rng):
    """Return a hostile text: one of the list, several in a row, letters from all over, or rarely a huge one."""
    draw = rng.random()
    if draw < 0.6:
        return rng.choice(TEXTS)
    if draw < 0.8:
        return "".join(rng.choice(TEXTS) for _ in range(rng.randint(2, 4)))
    if draw < 0.95:
        return "".join(chr(_point(rng)) for _ in range(rng.randint(1, 60)))
    if draw < 0.998:
        return rng.choice(TEXTS) * rng.choice(SIZES[:3])
    piece = rng.choice([each for each in TEXTS if each])
    return piece * (1_000_000 // len(piece))


def _point(rng):
    return rng.choice((rng.randrange(0x20), rng.randrange(0x80), rng.randrange(0x3000), rng.randrange(0x110000)))


def name(rng):
    """Return a name, most of the time a good one."""
    return rng.choice("abcdefgh") + str(rng.randrange(10)) if rng.random() < 0.6 else text(rng)


def number(rng):
    """Return the text of a number, most of the time of a good one."""
    return f"{rng.gauss(0, 1):.3g}" if rng.random() < 0.7 else rng.choice(NUMBERS)


def value(rng, depth=3):
    """Return any plain value, as JSON or TOML may hold it."""
    draw = rng.randrange(12 if depth else 8)
    if draw < 2:
        return text(rng)
    if draw < 4:
        return rng.choice((0, 1, -1, 2, 3, 8, 16, 1.5, -0.0, 1e308, -1e308, 5e-324, LARGE, -(10**30), 2**32, 2**53 + 1))
    if draw == 4:
        return number(rng)
    if draw < 7:
        return rng.choice((None, True, False, float("nan"), float("inf"), -float("inf"), "", [], {}))
    if draw == 7:
        return HUGE**2
    if draw < 11:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {name(rng): value(rng, depth - 1) for _ in range(rng.randrange(4))}


def spoil_value(rng, document):
    """Return a copy of a plain document with one part of it exchanged, left out, doubled or put elsewhere."""
    if isinstance(document, dict) and document and rng.random() < 0.9:
        key = rng.choice(list(document))
        draw, copy = rng.random(), dict(document)
        if draw < 0.1:
            del copy[key]
        elif draw < 0.2:
            copy[name(rng)] = copy.pop(key)
        elif draw < 0.25:
            copy[name(rng)] = value(rng)
        else:
            copy[key] = spoil_value(rng, copy[key])
        return copy
    if isinstance(document, list) and document and rng.random() < 0.9:
        place, copy = rng.randrange(len(document)), list(document)
        draw = rng.random()
        if draw < 0.1:
            del copy[place]
        elif draw < 0.2:
            copy.insert(place, copy[place])
        elif draw < 0.22:
            copy *= rng.choice((2, 3, 100))
        else:
            copy[place] = spoil_value(rng, copy[place])
        return copy
    return value(rng)


def spoil(rng, content):
    """Return bytes that were good, with some flipped, cut, doubled, exchanged or put in between."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        place, end = sorted((rng.randint(0, len(made)), rng.randint(0, len(made))))
        draw = rng.randrange(8)
        if draw == 0 and made:
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
        elif draw == 1 and made:
            made[rng.randrange(len(made))] = rng.randrange(256)
        elif draw == 2:
            del made[place:]
        elif draw == 3:
            del made[place:end]
        elif draw == 4:
            made[place:place] = rng.choice(PIECES)
        elif draw == 5:
            made[place:place] = made[place:end][:2000] * rng.choice((1, 2, 10))
        elif draw == 6:
            made[place:place] = rng.choice(PIECES[:20]) * rng.choice(SIZES)
        else:
            at = rng.randint(0, len(made))
            made[place:end] = made[at : at + end - place]
    return bytes(made)


def encoded(rng, made, good=0.7):
    """Return a text as the bytes of a file: most of the time UTF-8, and most of the time unspoilt."""
    kind = rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1")) if rng.random() < 0.05 else "utf-8"
    content = made.encode(kind, "surrogatepass" if kind.startswith("utf") else "replace")
    if kind == "utf-8" and rng.random() < 0.5:
        content = content.decode("utf-8", "replace").encode()
    return content if rng.random() < good else spoil(rng, content)


def nested(rng):
    """Return the text of brackets within brackets, deep enough for whatever reads them by recursion."""
    depth = rng.choice((10, 99, 100, 101, 300, 900, 1000, 5_000, 100_000))
    opened, closed = rng.choice(
        ("[]", "()", "{}", ("[1,", "]"), ("{'a':", "}"), ('{"a":', "}"), ("-(", ")"), ("(1+", ")"))
    )
    return opened * depth + rng.choice(("", "1", "x")) + closed * rng.choice((depth, depth - 1, 0))


def as_json(document):
    """Return a document as JSON, with the numbers that JSON has not, and those that Python does not write."""
    return json.dumps(_written(document)).replace('"@huge"', 5000 * "9")


def _written(document):
    if isinstance(document, dict):
        return {key: _written(each) for key, each in document.items()}
    if isinstance(document, list | tuple):
        return [_written(each) for each in document]
    return "@huge" if isinstance(document, int) and abs(document) > HUGE else document


def as_text(value):
    """Return a value as text, as someone would write it."""
    return value if isinstance(value, str) else as_json(value)
