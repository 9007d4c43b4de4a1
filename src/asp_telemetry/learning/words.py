"""Takes a text apart into words that can be compared: small letters, without endings, without those that say nothing."""

import re
from functools import cache, lru_cache

from asp_telemetry.learning.spelling import anagram
from asp_telemetry.learning.vocabulary import PHRASES, STOP_WORDS

MAX_KEYWORDS = 16
_WORD = re.compile(r"[^\W\d_][\w+#]*(?:'[a-z]+)?", re.UNICODE)
_VOWEL = re.compile(r"[aeiouy]")
# Endings, the longest first, and what stands in their place. Coarser than Porter's stemmer
# (https://tartarus.org/martin/PorterStemmer/): requests are short, so two forms of a word must meet.
_ENDINGS = (
    ("isations", "ise"), ("izations", "ise"), ("isation", "ise"), ("ization", "ise"), ("ications", "ic"),
    ("ication", "ic"), ("ations", "at"), ("ation", "at"), ("ments", ""), ("ment", ""), ("ities", ""), ("ity", ""),
    ("ising", "ise"), ("izing", "ise"), ("ised", "ise"), ("ized", "ise"), ("izes", "ise"), ("ises", "ise"), ("ize", "ise"),
    ("nesses", ""), ("ness", ""), ("ings", ""), ("ing", ""), ("edly", ""), ("ied", "y"), ("ed", ""), ("ies", "y"),
    ("sses", "ss"), ("ers", "er"), ("'s", ""), ("ly", ""), ("es", ""), ("s", ""),
)  # fmt: skip
_STOPPED = frozenset(map(anagram, STOP_WORDS))  # also "teh" and "taht"
_KEPT = frozenset({"aws", "css", "https", "ios", "dns", "tls", "oss", "this", "yes", "news"})


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Take the ending off a word, so that its forms become one.

    Args:
        word: In small letters.

    Example:
        >>> stem("tests"), stem("testing"), stem("optimise") == stem("optimization")
        ('test', 'test', True)
    """
    if len(word) < 4 or word in _KEPT:
        return word
    for ending, replacement in _ENDINGS:
        if word.endswith(ending):
            root = word[: -len(ending)]
            if ending == "s" and root.endswith(("s", "u", "i")):
                break
            if len(root) >= 3 and _VOWEL.search(root):
                word = root + replacement
                break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, stemmed, with the stop words left out; placeholders are no words.

    Args:
        text: A request, or a template of one.

    Example:
        >>> words_of("Please fix the failing tests in <path>")
        ['fix', 'fail', 'test']
    """
    found = []
    for word in _WORD.findall(_joined(re.sub(r"<[a-z_]+>", " ", text)).casefold()):
        plain = word.removesuffix("'s")
        if len(plain) > 1 and anagram(plain) not in _STOPPED:
            found.append(stem(plain))
    return found


def keywords_of(text: str) -> list[str]:
    """Return what a text is about: its different words, in order, at most sixteen.

    Example:
        >>> keywords_of("fix the login, the login of the web shop")
        ['fix', 'login', 'web', 'shop']
    """
    return list(dict.fromkeys(words_of(text)))[:MAX_KEYWORDS]


def _joined(text: str) -> str:
    for pattern, word in _phrases():
        text = pattern.sub(f" {word} ", text)
    return text


@cache
def _phrases() -> list[tuple[re.Pattern[str], str]]:
    found = []
    for pattern, word in PHRASES.items():
        parts = [part if part.startswith(r"\b") else rf"\b{part}" for part in _alternatives(pattern)]
        whole = "|".join(part if part.endswith(r"\b") else rf"{part}\b" for part in parts)
        found.append((re.compile(whole if "PR" in pattern else rf"(?i:{whole})"), word))
    return found


def _alternatives(pattern: str) -> list[str]:
    """Split an expression at the bars that stand outside of brackets."""
    parts, depth = [""], 0
    for character in pattern:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
