"""Texts to validate: words at random in several scripts, and JSON."""

import json
import random

WORDS = {
    "ASCII": "the of and to in is that it was for on are with as his they be at one have this from or had",
    "French": "le la les été où être à présent français garçon très même déjà élève mère père forêt noël"
    " maïs cœur et un une des pour dans qui par sur avec tout ça voilà naïf août ils elle nous vous sont",
    "Cyrillic": "и в не на я быть он с что а по это она этот к но они мы весь который из у то за свой год"
    " от так о для ты же все тот мочь вы человек такой его сказать только или ещё бы себя один как уже",
    "CJK": "的 一 是 不 了 人 我 在 有 他 这 为 之 大 来 以 个 中 上 们 到 说 国 和 地 也 子 时 道 出 而 要 于 就 下 得",
    "Korean": "그는 나의 우리 한국어 안녕하세요 감사합니다 세계 서울 사람 시간 그리고 하지만",
    "emoji": "😀 🤣 😃 😄 😅 😆 😉 😊 😋 😎 😍 😘 🥰 😗 👍 🎉 🚀 ❤️ 🇩🇪 👩‍👩‍👧",
}
SIZE = (1 << 20) + 64


def words(generator, language, size):
    joiner = "" if language in ("CJK", "emoji") else " "
    text = []
    while size > 0:
        text.append(generator.choice(WORDS[language].split()))
        size -= len((text[-1] + joiner).encode())
    return joiner.join(text)


def records(generator, size):
    """JSON as services send it: ASCII but for one text in seven."""
    text = []
    while size > 0:
        language = generator.choice(["ASCII"] * 18 + ["French", "Cyrillic", "CJK"])
        record = {
            "id": generator.randrange(10**12),
            "user": {"name": words(generator, "ASCII", 12), "followers": generator.randrange(9999)},
            "text": words(generator, language, generator.randrange(60, 220)),
            "url": f"https://example.org/{generator.randrange(10**9)}",
        }
        text.append(json.dumps(record, ensure_ascii=False))
        size -= len(text[-1].encode()) + 1
    return "\n".join(text)


def make_texts(folder):
    folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(7)
    for language in WORDS:
        text = words(generator, language, SIZE)
        folder.joinpath(language).write_bytes(text.encode()[:SIZE])
    folder.joinpath("JSON").write_bytes(records(generator, SIZE).encode()[:SIZE])
