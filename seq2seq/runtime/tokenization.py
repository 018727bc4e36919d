"""Text to symbols and back: normal forms, characters, graphemes, words, and numbers."""

from __future__ import annotations

import functools
import itertools
import math
import re
import unicodedata

NORMAL_FORMS = ("nfc", "nfd", "nfkc", "none")  # of Unicode normalization
JOINTS = {"characters": "", "graphemes": "", "words": " ", "symbols": " "}  # between symbols

# Code points of Unicode 17, in hexadecimal, for `split_graphemes`.
# Marks that belong to the character after them.
PREPENDED = (
    "600-605 6DD 70F 890-891 8E2 D4E 110BD 110CD 111C2-111C3 113D1 1193F 11941 11A84-11A89 11D46 "
    "11F02"
)
# Belong to the character before them, as combining marks do, and are none or spacing ones.
EXTENDING = (
    "9BE 9D7 B3E B57 BBE BD7 CC0 CC2 CC7-CC8 CCA-CCB CD5-CD6 D3E D57 DCF DDF 1715 1734 1B35 1B3B "
    "1B3D 1B43-1B44 1BAA 1BF2-1BF3 200C 302E-302F A953 A9C0 FF9E-FF9F 111C0 11235 1133E 1134D "
    "11357 114B0 114BD 115AF 116B6 11930 1193D 16FF0-16FF1 1D165-1D166 1D16D-1D172 1F3FB-1F3FF "
    "E0020-E007F"
)
# Spacing marks that are graphemes of their own.
SPACED = (
    "102B-102C 1038 1062-1064 1067-106D 1083 1087-108C 108F 109A-109C 1A61 1A63-1A64 AA7B AA7D "
    "1171E 11720-11721"
)
# Indic letters that a linker joins to the next one.
CONSONANTS = (
    "915-939 958-95F 978-97F 995-9A8 9AA-9B0 9B2 9B6-9B9 9DC-9DD 9DF 9F0-9F1 A95-AA8 AAA-AB0 "
    "AB2-AB3 AB5-AB9 AF9 B15-B28 B2A-B30 B32-B33 B35-B39 B5C-B5D B5F B71 C15-C28 C2A-C39 C58-C5A "
    "D15-D3A 1000-102A 103F 1050-1055 105A-105D 1061 1065-1066 106E-1070 1075-1081 108E 1780-17B3 "
    "1A20-1A54 1B0B-1B0C 1B13-1B33 1B45-1B4C 1B83-1BA0 1BAE-1BAF 1BBB-1BBD A989-A98B A98F-A9B2 "
    "A9E0-A9E4 A9E7-A9EF A9FA-A9FE AA60-AA6F AA71-AA73 AA7A AA7E-AA7F AAE0-AAEA ABC0-ABDA 10A00 "
    "10A10-10A13 10A15-10A17 10A19-10A35 11103-11126 11144 11147 11380-11389 1138B 1138E "
    "11390-113B5 11900-11906 11909 1190C-11913 11915-11916 11918-1192F 11A00 11A0B-11A32 11A50 "
    "11A5C-11A83 11B0A 11DF1 11F04-11F10 11F12-11F33"
)
# Viramas.
LINKERS = (
    "94D 9CD ACD B4D C4D D4D 1039 17D2 1A60 1B44 1BAB 1CF5-1CF6 A9C0 AAF6 10A3F 11133 113D0 1193E "
    "11A3A 11A47 11A99 11F42"
)
# Emoji, which U+200D joins.
PICTOGRAPHS = (
    "A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 23CF 23E9-23F3 23F8-23FA 24C2 "
    "25AA-25AB 25B6 25C0 25FB-25FE 2600-2604 260E 2611 2614-2615 2618 261D 2620 2622-2623 2626 "
    "262A 262E-262F 2638-263A 2640 2642 2648-2653 265F-2660 2663 2665-2666 2668 267B 267E-267F "
    "2692-2697 2699 269B-269C 26A0-26A1 26A7 26AA-26AB 26B0-26B1 26BD-26BE 26C4-26C5 26C8 "
    "26CE-26CF 26D1 26D3-26D4 26E9-26EA 26F0-26F5 26F7-26FA 26FD 2702 2705 2708-270D 270F 2712 "
    "2714 2716 271D 2721 2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2764 2795-2797 "
    "27A1 27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299 1F004 1F02C-1F02F "
    "1F094-1F09F 1F0AF-1F0B0 1F0C0 1F0CF-1F0D0 1F0F6-1F0FF 1F170-1F171 1F17E-1F17F 1F18E "
    "1F191-1F19A 1F1AF-1F1E5 1F201-1F20F 1F21A 1F22F 1F232-1F23A 1F23C-1F23F 1F249-1F25F "
    "1F266-1F321 1F324-1F393 1F396-1F397 1F399-1F39B 1F39E-1F3F0 1F3F3-1F3F5 1F3F7-1F3FA "
    "1F400-1F4FD 1F4FF-1F53D 1F549-1F54E 1F550-1F567 1F56F-1F570 1F573-1F57A 1F587 1F58A-1F58D "
    "1F590 1F595-1F596 1F5A4-1F5A5 1F5A8 1F5B1-1F5B2 1F5BC 1F5C2-1F5C4 1F5D1-1F5D3 1F5DC-1F5DE "
    "1F5E1 1F5E3 1F5E8 1F5EF 1F5F3 1F5FA-1F64F 1F680-1F6C5 1F6CB-1F6D2 1F6D5-1F6E5 1F6E9 "
    "1F6EB-1F6F0 1F6F3-1F6FF 1F7DC-1F7F0 1F80C-1F80F 1F848-1F84F 1F85A-1F85F 1F888-1F88F "
    "1F8AE-1F8AF 1F8BC-1F8BF 1F8C2-1F8CF 1F8D9-1F8FF 1F90C-1F93A 1F93C-1F945 1F947-1F9FF "
    "1FA58-1FA5F 1FA6E-1FAFF 1FC00-1FFFD"
)


def split_words(text: str) -> list[str]:
    """Split into runs of word characters, and other characters that are no white space.

    A combining mark (Unicode's category M) and a joiner (U+200C, U+200D) belong to the character
    before them.
    """
    return _compile_words().findall(text)


@functools.cache
def _compile_words() -> re.Pattern:
    marks = _category_ranges("Mn", "Me", "Mc")
    joined = f"(?:[{marks}\u200c]|\u200d[^\\w\\s]?)*"  # as in a family of emoji
    return re.compile(f"\\w[\\w{marks}\u200c\u200d]*|[^\\w\\s]{joined}")


def split_graphemes(text: str) -> list[str]:
    """Split into extended grapheme clusters, the user-perceived characters (Unicode, UAX 29).

    A letter with its marks, a conjunct of Indic consonants, a Hangul syllable, an emoji of several.

    >>> split_graphemes("e\u0301a"), len(split_graphemes("\u0915\u094d\u0937\u093f"))
    (['e\u0301', 'a'], 1)
    """
    return _compile_graphemes().findall(text)


@functools.cache
def _compile_graphemes() -> re.Pattern:
    """Regular expression of UAX 29, table 1b and 1c."""
    listed = PREPENDED + " " + EXTENDING + " " + SPACED + " 200D"
    extend = _category_ranges("Mn", "Me", without=listed) + _to_class(EXTENDING)
    extending = extend + _category_ranges("Mc", without=listed) + "\u0e33\u0eb3\u200d"
    control = _category_ranges("Cc", "Cf", "Zl", "Zp", without=listed)
    prepended, pictograph = _to_class(PREPENDED), _to_class(PICTOGRAPHS)
    consonant, linker = _to_class(CONSONANTS), _to_class(LINKERS)
    linking = f"(?:(?![{linker}\u200c])[{extend}\u200d])*"
    opening = "".join(map(chr, range(0xAC00, 0xD7A4, 28)))  # Hangul syllables that end in a vowel
    hangul = (
        f"[\u1100-\u115f\ua960-\ua97c]*(?:[{opening}][\u1160-\u11a7\ud7b0-\ud7c6]*"
        f"|(?![{opening}])[\uac00-\ud7a3]|[\u1160-\u11a7\ud7b0-\ud7c6]+)"
        "[\u11a8-\u11ff\ud7cb-\ud7fb]*|[\u1100-\u115f\ua960-\ua97c]+|[\u11a8-\u11ff\ud7cb-\ud7fb]+"
    )
    conjunct = (
        f"[{consonant}](?:{linking}[{linker}](?:{linking}[{linker}])*{linking}[{consonant}])+"
    )
    emoji = f"[{pictograph}](?:[{extend}]*\u200d[{pictograph}])*"
    core = f"{hangul}|[\U0001f1e6-\U0001f1ff]{{2}}|{conjunct}|{emoji}|[^{control}]"
    return re.compile(
        f"\r\n|[{prepended}]*(?:{core})[{extending}]*|[{prepended}]+[{extending}]*|.", re.DOTALL
    )


@functools.cache
def _category_ranges(*categories: str, without: str = "") -> str:
    """Characters of categories of Unicode, which `re` does not know, as ranges of a class."""
    excluded = re.compile(f"[{_to_class(without)}]") if without else None
    codes = (*range(0x1F000), *range(0xE0000, 0xE0200))
    chosen = (
        unicodedata.category(chr(code)) in categories
        and not (excluded and excluded.match(chr(code)))
        for code in codes
    )
    runs = itertools.groupby(zip(chosen, codes), lambda kind: kind[0])
    ends = [[*run] for is_chosen, run in runs if is_chosen]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in ends)


def _to_class(table: str) -> str:
    """Ranges of a class of `re`, from code points in hexadecimal."""
    ends = (part.split("-") for part in table.split())
    return "".join(f"{chr(int(end[0], 16))}-{chr(int(end[-1], 16))}" for end in ends)


TOKENIZERS = {
    "characters": list,
    "graphemes": split_graphemes,
    "words": split_words,
    "symbols": str.split,
}


def normalize(text: str, form: str) -> str:
    """Convert `text` to a Unicode normal form, one of `NORMAL_FORMS`."""
    return text if form == "none" else unicodedata.normalize(form.upper(), text)


def describe_symbol(symbol: str) -> str:
    """Describe a symbol for a message, an invisible one by its code point and name.

    >>> describe_symbol("a"), describe_symbol("\u0301")
    ("'a'", 'U+0301 COMBINING ACUTE ACCENT')
    """
    if len(symbol) == 1 and (unicodedata.category(symbol)[0] in "MCZ"):
        return f"U+{ord(symbol):04X} {unicodedata.name(symbol, '')}".rstrip()
    return repr(symbol)


def write_number(value: float, scale: float) -> str:
    """Format `value` with digits down to a fraction of `scale`, and at least six significant ones.

    >>> write_number(1234595.62599, 52.0), write_number(0.123456789, 1.0)
    ('1234595.626', '0.123457')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:.6g}"
    decimals = max(0, 4 - math.floor(math.log10(scale)))  # down to a ten thousandth of the scale
    digits = math.floor(math.log10(abs(value))) + 1 + decimals
    return f"{value:.{min(17, max(6, digits))}g}"
