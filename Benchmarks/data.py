#!/usr/bin/env python3
"""Makes what the benchmarks send.

data.py files FOLDER         `text` and `binary`, 64 MiB each, out of files that are on this machine:
                             sources and documentation, with lines in many languages among them; and
                             the toolchain's libraries
data.py payloads FOLDER      KIND-SIZE, one message each: binary; text, in many languages; ascii; and
                             json, of which some is not ASCII
"""

import itertools
import json
import os
import pathlib
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


def json_text(lines):
    """Records as a service would send them, ten times as much syntax as words of other languages."""
    records = [
        {"id": 100_003 * i, "active": i % 3 > 0, "score": i / 7, "tags": ["socket", "frame", "bulk"],
         "created": f"2026-01-{i % 28 + 1:02}T08:{i % 60:02}:00Z", "title": line.decode()[:8]}
        for i, line in enumerate(lines)
    ]
    return json.dumps(records, ensure_ascii=False).encode()


def payloads(folder):
    languages = LANGUAGES.read_bytes()
    library = next(files([toolchain() / "lib"], ("libswiftCore.so",)))
    with open(library, "rb") as file:
        file.seek(3 << 20)  # past the tables, in the code
        binary = file.read(SIZES[-1])
    kinds = {
        "text": languages,
        "ascii": languages.splitlines()[1] + b"\n",
        "json": json_text(languages.splitlines() * 20),
    }
    for size in SIZES:
        for kind, sample in kinds.items():
            whole = sample * (size // len(sample) + 1)
            folder.joinpath(f"{kind}-{size}").write_bytes(cut(whole, size))
        folder.joinpath(f"binary-{size}").write_bytes(binary[:size])


def main(command, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if command == "files":
        if not (folder / "binary").exists():
            folder.joinpath("text").write_bytes(text_file())
            folder.joinpath("binary").write_bytes(binary_file())
    else:
        payloads(folder)


main(*sys.argv[1:])
