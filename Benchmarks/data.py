#!/usr/bin/env python3
"""Makes what the benchmarks send.

data.py files FOLDER         `text` and `binary`, 64 MiB each, out of files that are on this machine:
                             sources and documentation, with lines in many languages among them; and
                             the toolchain's libraries
data.py payloads FOLDER      text-SIZE and binary-SIZE: one message each, the text in many languages
"""

import itertools
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


def main(command, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if command == "files":
        if not (folder / "binary").exists():
            folder.joinpath("text").write_bytes(text_file())
            folder.joinpath("binary").write_bytes(binary_file())
    else:
        languages = LANGUAGES.read_bytes() * (SIZES[-1] // LANGUAGES.stat().st_size + 1)
        library = next(files([toolchain() / "lib"], ("libswiftCore.so",)))
        for size in SIZES:
            folder.joinpath(f"text-{size}").write_bytes(cut(languages, size))
            with open(library, "rb") as file:
                file.seek(1 << 20)  # past the headers
                folder.joinpath(f"binary-{size}").write_bytes(file.read(size))


main(*sys.argv[1:])
