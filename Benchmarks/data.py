#!/usr/bin/env python3
"""Makes what the benchmarks send.

data.py files FOLDER         `text` and `binary`, 64 MiB each, out of files that are on this machine:
                             sources and documentation, with lines in many languages among them; and
                             the toolchain's libraries
data.py payloads FOLDER      text-SIZE and binary-SIZE, one message each, in a folder for each kind of
                             text: `json` is ASCII, `names` has a letter of other alphabets here and
                             there, and `scripts` is written in many of them, with emoji
"""

import itertools
import os
import json
import pathlib
import random
import shutil
import sys

SIZE = 64 << 20
SIZES = [16, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20]
LANGUAGES = pathlib.Path(__file__).with_name("Data").joinpath("languages.txt")


def toolchain():
    return pathlib.Path(os.path.realpath(shutil.which("swift"))).parent.parent


def files(roots, suffixes):
    """Endlessly: the roots are walked again when their end is reached."""
    for _ in itertools.count():
        for root in roots:
            for folder, folders, names in os.walk(root):
                folders.sort()
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    if name.endswith(suffixes) and os.path.isfile(path) and not os.path.islink(path):
                        yield path


def cut(text, size):
    """Exactly `size` bytes: whole code points, then spaces."""
    end = size
    while end < len(text) and text[end] & 0xC0 == 0x80:
        end -= 1
    return text[:end].ljust(size)


def text_file():
    suffixes = (".txt", ".md", ".html", ".xml", ".py", ".h", ".js", ".json", ".swiftinterface")
    languages = LANGUAGES.read_bytes()
    pieces, size, since = [], 0, 0
    for path in files(["/usr/share", toolchain(), "/usr/include", "/usr/lib/python3"], suffixes):
        try:
            with open(path, "rb") as file:
                piece = file.read(4 << 20)
            piece.decode()
        except (OSError, UnicodeDecodeError):
            continue
        pieces.append(piece)
        size, since = size + len(piece), since + len(piece)
        if since > 8 * len(languages):
            pieces.append(languages)
            size, since = size + len(languages), 0
        if size >= SIZE:
            return cut(b"".join(pieces), SIZE)


def binary_file():
    data = bytearray()
    for path in files([toolchain() / "lib", "/usr/lib"], (".so", ".a", ".dylib")):
        data += pathlib.Path(path).read_bytes()
        if len(data) >= SIZE:
            return bytes(data[:SIZE])


def lines(names):
    """Endless lines of JSON as a market feed sends them."""
    dice = random.Random(1)
    for sequence in itertools.count(1):
        quote = {
            "sequence": sequence,
            "symbol": dice.choice(["AAPL", "MSFT", "BRK.B", "SAP", "NOVN"]),
            "name": dice.choice(names),
            "bid": round(dice.uniform(10, 900), 2),
            "ask": round(dice.uniform(10, 900), 2),
            "size": dice.randrange(1, 10_000),
            "venue": dice.choice(["XNAS", "XNYS", "XETR", "XSWX"]),
        }
        yield json.dumps(quote, ensure_ascii=False).encode() + b"\n"


def take(pieces, size):
    text = b""
    while len(text) < size + 4:
        text += b"".join(itertools.islice(pieces, 64))
    return text


KINDS = {
    "json": lambda size: take(lines(["Apple", "Microsoft", "Berkshire", "SAP", "Novartis"]), size),
    "names": lambda size: take(lines(["Nestlé", "Björn Borg", "Société Générale", "Ørsted", "SAP"]), size),
    "scripts": lambda size: LANGUAGES.read_bytes() * (size // LANGUAGES.stat().st_size + 1),
}


def write_payloads(folder):
    library = next(files([toolchain() / "lib"], ("libswiftCore.so",)))
    with open(library, "rb") as file:
        file.seek(1 << 20)  # past the headers
        binary = file.read(SIZES[-1])
    for kind, make in KINDS.items():
        inside = folder / kind
        inside.mkdir(exist_ok=True)
        text = make(SIZES[-1])
        for size in SIZES:
            inside.joinpath(f"text-{size}").write_bytes(cut(text, size))
            inside.joinpath(f"binary-{size}").write_bytes(binary[:size])


def main(command, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if command == "payloads":
        write_payloads(folder)
    elif not (folder / "binary").exists():
        folder.joinpath("text").write_bytes(text_file())
        folder.joinpath("binary").write_bytes(binary_file())


main(*sys.argv[1:])
