"""Answers of a trained model with NumPy alone: one file, to be copied into any project.

    import numpy_runtime
    numpy_runtime.load("model.npz").predict(["hello"])            # -> ["olleh"]

    python numpy_runtime.py model.npz < sources > answers         # one source a line

It reads the artefact `model.npz` (of which the reader is here), knows every part that a model can
be made of, and decodes greedily or with a beam. All is float32. Sequences have time first here,
(time, batch, ...): what is computed at one step lies together.

It needs Python 3.9 or newer, and NumPy 1.21 or newer.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import json
import math
import os
import re
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info < (3, 9):  # noqa: UP036  # a file that is copied anywhere may be run anywhere
    NEEDED = "numpy_runtime.py needs Python 3.9 or newer, and this is Python "
    NEEDED += ".".join(map(str, sys.version_info[:3]))
    if __name__ == "__main__":
        sys.exit("error: " + NEEDED)
    raise ImportError(NEEDED)

import numpy as np

# ------------------------------------------------------------------------------ the artefact

FORMAT = 3
READABLE = (2, FORMAT)  # a header of format 2 is read as `upgrade` says
HEADER, DIGEST = "header.json", "header.sha256"  # its two members that are no weights
WEIGHTS = ("float32", "float16", "int8")  # how weights can be stored
SCALE = ":scale"  # ends the name of the scales of an array of int8
MOST_CONTAINERS = 2**18  # lists and mappings of a JSON text: each takes some thirty times its text
FIELDS = {"arrays": dict, "checksums": dict, "model": dict, "source": dict, "target": dict}
FIELDS |= {"settings": dict, "weights": str}
# What NumPy writes before the numbers of an array; strict, so that nothing has to be evaluated.
PREFIX = re.compile(
    rb"\x93NUMPY\x01\x00(..)\{'descr': '[<|](f[248]|[iu][1248])', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,18}, )*(?:\d{1,18},?)?)\), \} *\n",
    re.DOTALL,
)


def align(*sequences: Sequence) -> Iterator[tuple]:
    """Return `zip(*sequences)`; the `strict=True` of it is Python 3.10's.

    Raises:
        ValueError: the sequences differ in length.
    """
    lengths = [len(sequence) for sequence in sequences]
    if len(set(lengths)) > 1:
        raise ValueError(f"sequences of {', '.join(map(str, lengths))} elements do not align")
    return zip(*sequences)


class Stored(NamedTuple):
    """An array as it lies in the file: its dtype, its shape, and its bytes."""

    dtype: np.dtype
    shape: tuple
    data: memoryview

    def array(self) -> np.ndarray:
        """A copy of it, aligned."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape).copy()

    def digest(self) -> str:
        """SHA-256 of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


def read_artefact(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays of `model.npz`, after everything in it was verified.

    Weights that were stored as float16 or int8 come back as float32.

    Raises:
        ValueError: the file is missing, damaged or of another format; it says what is wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such model file: {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is damaged or no model file")
    members = read_members(path)
    header = _read_header(path, members)
    described = {name: [str(one.dtype), *one.shape] for name, one in members.items()}
    _compare(path, "arrays differ from its header", described, header["arrays"])
    digests = {name: one.digest() for name, one in members.items()}
    _compare(path, "arrays have other checksums than in its header", digests, header["checksums"])
    return header, _restore(path, members)


def read_members(path: Path, check: bool = False) -> dict[str, Stored]:
    """All arrays of the zip file, as views of its content: nothing is unpacked or believed.

    Args:
        path: of the file.
        check: whether the zip file's own checksums are looked at, and that its parts have one name
            and fill it; where there are no better checksums.

    Raises:
        ValueError: the file is damaged, or holds anything but arrays of plain numbers.
    """
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries, directory = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as e:
        raise ValueError(f"{path} is damaged or no model file: {e}") from e
    members, ends = {}, []
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        plain = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 1
        if not plain or entry.compress_size != entry.file_size or name in members:
            raise ValueError(f"{path} is damaged: {name!r} is compressed, or stands there twice")
        first = entry.header_offset + 30  # of its name
        lengths = content[first - 4 : first]
        if first < 30 or len(lengths) < 4:
            raise ValueError(f"{path} is damaged: {name!r} lies outside of it")
        named, more = struct.unpack("<HH", lengths)
        start = first + named + more
        if start + entry.file_size > len(content):
            raise ValueError(f"{path} is damaged: {name!r} is larger than the file")
        member = memoryview(content)[start : start + entry.file_size]
        own = content[first : first + named] == entry.orig_filename.encode()
        if check and not (own and zlib.crc32(member) == entry.CRC):
            raise ValueError(f"{path} is damaged: {name!r} has another checksum, or two names")
        ends.append(start + entry.file_size)
        members[name] = _parse(path, name, member)
    if sum(len(one.data) for one in members.values()) > len(content):
        raise ValueError(f"{path} is damaged: its arrays lie one over the other")
    starts = sorted(entry.header_offset for entry in entries)
    if check and [*starts, directory] != [0, *sorted(ends)]:
        raise ValueError(f"{path} is damaged: a part of it is listed nowhere")
    return members


def _parse(path: Path, name: str, member: memoryview) -> Stored:
    """An array of NumPy's format, version 1.0, in C order, of plain numbers."""
    found = PREFIX.match(member)
    if not found or 10 + struct.unpack("<H", found[1])[0] != found.end():
        raise ValueError(f"{path} is damaged: {name!r} is no array of plain numbers")
    dtype = np.dtype(found[2].decode())
    shape = tuple(int(size) for size in found[3].decode().split(",") if size.strip())
    stored = Stored(dtype, shape, member[found.end() :])
    if math.prod(shape) * dtype.itemsize != len(stored.data):
        raise ValueError(f"{path} is damaged: {name!r} has another size than its shape {shape}")
    return stored


def _read_header(path: Path, members: dict[str, Stored]) -> dict:
    """The header, which is taken out of `members`; verified."""
    if HEADER not in members:
        raise ValueError(f"{path} is damaged or no model file: it has no {HEADER}")
    stored, digest = members.pop(HEADER), members.pop(DIGEST, None)
    if digest is None:
        raise ValueError(f"{path} is damaged, or of a format before 2: it has no {DIGEST}")
    if stored.digest() != bytes(digest.data).decode("ascii", "replace"):
        raise ValueError(f"{path} is damaged: its header has another checksum")
    header = upgrade(parse_header(path, stored, READABLE, FIELDS))
    if header["weights"] not in WEIGHTS:
        known = ", ".join(WEIGHTS)
        raise ValueError(f"{path} has weights of {header['weights']!r}, this version reads {known}")
    return header


def parse_header(path: Path, stored: Stored, versions: tuple, fields: dict[str, type]) -> dict:
    """What a header says, if it is of one of the format's `versions` and has all `fields`."""
    try:
        header = parse_json(bytes(stored.data))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its header is no JSON ({error})") from error
    found = header.get("format") if isinstance(header, dict) else None
    if found not in versions:
        known = " and ".join(map(str, versions))
        raise ValueError(f"{path} has format {found}, this version reads {known}")
    if missing := [key for key, kind in fields.items() if not isinstance(header.get(key), kind)]:
        raise ValueError(f"{path} is damaged: its header lacks {', '.join(missing)}")
    return header


def parse_json(content: bytes) -> Any:
    """The value that a JSON text of a stranger holds.

    Raises:
        ValueError: it is no JSON in UTF-8, is nested too deeply, or has so many lists and mappings
            that they would take far more memory than the text.
    """
    if (found := content.count(b"[") + content.count(b"{")) > MOST_CONTAINERS:
        raise ValueError(f"it has {found:,} lists and mappings, {MOST_CONTAINERS:,} at most")
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def upgrade(header: dict) -> dict:
    """A header as the newest format would say it: an older one means what it meant.

    In format 2 `words` were cut at every combining mark, and tags were a set.
    """
    if header["format"] == FORMAT:
        return header
    sides = {name: _upgrade_side(header[name]) for name in ("source", "target")}
    return {**header, **sides, "format": FORMAT}


def _upgrade_side(side: dict) -> dict:
    side = dict(side)
    if side.get("tokeniser") == "words":
        side["tokeniser"] = "words_without_marks"
    if side.get("kind") == "tagged":
        side["multiset"] = False
        if isinstance(side.get("symbols"), dict):
            side["symbols"] = _upgrade_side(side["symbols"])
    return side


def _compare(path: Path, what: str, found: dict, wanted: dict) -> None:
    if wrong := sorted(k for k in found.keys() | wanted if found.get(k) != wanted.get(k)):
        raise ValueError(f"{path} is damaged: {what}: {', '.join(map(str, wrong[:3]))}")


def _restore(path: Path, members: dict[str, Stored]) -> dict[str, np.ndarray]:
    """The weights as they were before they were made smaller."""
    arrays = {}
    for name, stored in members.items():
        if name.endswith(SCALE):
            continue
        array = stored.array()
        if array.dtype == "int8":
            scale = members.get(name + SCALE)
            if scale is None or scale.shape != array.shape[-1:]:
                raise ValueError(f"{path} is damaged: {name} has no scale for each column")
            array = array * scale.array()
        arrays[name] = array.astype("float32") if array.dtype == "float16" else array
    return arrays


# ------------------------------------------------------------------- text, numbers and tags

PAD, START, END, UNKNOWN = range(4)
SPECIALS = ("<pad>", "<start>", "<end>", "<unknown>")
MAX_NAMED = 10  # lines without an answer
TAB = "\t"  # stands between a source and its tags
LARGEST = 1e30  # of real values
FORMS = ("nfc", "nfd", "nfkc", "none")  # of Unicode normalization
JOINTS = {
    **{"characters": "", "graphemes": "", "words": " ", "symbols": " "},
    "words_without_marks": " ",
}

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
# Spacing marks that stand by themselves.
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
    """Runs of word characters, and each other character that is no white space.

    A combining mark (Unicode's category M) and a joiner (U+200C, U+200D) belong to the character
    before them.
    """
    return _compile_words().findall(text)


@functools.cache
def _compile_words() -> re.Pattern:
    marks = _spell_out("Mn", "Me", "Mc")
    joined = f"(?:[{marks}\u200c]|\u200d[^\\w\\s]?)*"  # as in a family of emoji
    return re.compile(f"\\w[\\w{marks}\u200c\u200d]*|[^\\w\\s]{joined}")


def split_graphemes(text: str) -> list[str]:
    """What a reader takes for one character: extended grapheme clusters (Unicode, UAX 29).

    A letter with its marks, a conjunct of Indic consonants, a Hangul syllable, an emoji of several.

    >>> split_graphemes("e\u0301a"), len(split_graphemes("\u0915\u094d\u0937\u093f"))
    (['e\u0301', 'a'], 1)
    """
    return _compile_graphemes().findall(text)


@functools.cache
def _compile_graphemes() -> re.Pattern:
    """The regular expression of UAX 29, table 1b and 1c."""
    own = PREPENDED + " " + EXTENDING + " " + SPACED + " 200D"
    extend = _spell_out("Mn", "Me", without=own) + _to_class(EXTENDING)
    after = extend + _spell_out("Mc", without=own) + "\u0e33\u0eb3\u200d"
    control = _spell_out("Cc", "Cf", "Zl", "Zp", without=own)
    prepended, pictograph = _to_class(PREPENDED), _to_class(PICTOGRAPHS)
    consonant, linker = _to_class(CONSONANTS), _to_class(LINKERS)
    between = f"(?:(?![{linker}\u200c])[{extend}\u200d])*"
    opening = "".join(map(chr, range(0xAC00, 0xD7A4, 28)))  # Hangul syllables that end in a vowel
    hangul = (
        f"[\u1100-\u115f\ua960-\ua97c]*(?:[{opening}][\u1160-\u11a7\ud7b0-\ud7c6]*"
        f"|(?![{opening}])[\uac00-\ud7a3]|[\u1160-\u11a7\ud7b0-\ud7c6]+)"
        "[\u11a8-\u11ff\ud7cb-\ud7fb]*|[\u1100-\u115f\ua960-\ua97c]+|[\u11a8-\u11ff\ud7cb-\ud7fb]+"
    )
    conjunct = (
        f"[{consonant}](?:{between}[{linker}](?:{between}[{linker}])*{between}[{consonant}])+"
    )
    emoji = f"[{pictograph}](?:[{extend}]*\u200d[{pictograph}])*"
    core = f"{hangul}|[\U0001f1e6-\U0001f1ff]{{2}}|{conjunct}|{emoji}|[^{control}]"
    return re.compile(
        f"\r\n|[{prepended}]*(?:{core})[{after}]*|[{prepended}]+[{after}]*|.", re.DOTALL
    )


@functools.cache
def _spell_out(*categories: str, without: str = "") -> str:
    """The characters of categories of Unicode, which `re` does not know, as ranges of a class."""
    left_out = re.compile(f"[{_to_class(without)}]") if without else None
    codes = (*range(0x1F000), *range(0xE0000, 0xE0200))
    chosen = (
        unicodedata.category(chr(code)) in categories
        and not (left_out and left_out.match(chr(code)))
        for code in codes
    )
    runs = itertools.groupby(zip(chosen, codes), lambda kind: kind[0])
    ends = [[*run] for is_chosen, run in runs if is_chosen]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in ends)


def _to_class(table: str) -> str:
    """Code points in hexadecimal, as ranges of a class of `re`."""
    ends = (part.split("-") for part in table.split())
    return "".join(f"{chr(int(end[0], 16))}-{chr(int(end[-1], 16))}" for end in ends)


SPLITS = {
    "characters": list,
    "graphemes": split_graphemes,
    "words": split_words,
    "symbols": str.split,
    "words_without_marks": re.compile(r"\w+|[^\w\s]").findall,  # words, in files of format 2
}


def normalize(text: str, form: str) -> str:
    """`text` in a normal form of Unicode: one of `FORMS`."""
    return text if form == "none" else unicodedata.normalize(form.upper(), text)


def describe_symbol(symbol: str) -> str:
    """A symbol for a message; one that can't be seen by itself has its code point and name.

    >>> describe_symbol("a"), describe_symbol("\u0301")
    ("'a'", 'U+0301 COMBINING ACUTE ACCENT')
    """
    if len(symbol) == 1 and (unicodedata.category(symbol)[0] in "MCZ"):
        return f"U+{ord(symbol):04X} {unicodedata.name(symbol, '')}".rstrip()
    return repr(symbol)


def write_number(value: float, scale: float) -> str:
    """`value` with the digits that its spread calls for, and at least six significant ones.

    >>> write_number(1234595.62599, 52.0), write_number(0.123456789, 1.0)
    ('1234595.626', '0.123457')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:.6g}"
    decimals = max(0, 4 - math.floor(math.log10(scale)))  # down to a ten thousandth of the scale
    digits = math.floor(math.log10(abs(value))) + 1 + decimals
    return f"{value:.{min(17, max(6, digits))}g}"


def split_tags(text: str, separator: str) -> list[str]:
    """The tags of a column: `separator` stands between two, and inside brackets it does not.

    >>> split_tags("N;ABL(PL;PSS(2,PL))", ";")
    ['N', 'ABL(PL;PSS(2,PL))']
    """
    parts = text.split(separator)
    if text.count("(") == text.count(")"):
        parts = _close_brackets(parts, separator)
    return [part.strip() for part in parts if part.strip()]


def _close_brackets(parts: list[str], separator: str) -> list[str]:
    closed, depth = [], 0
    for part in parts:
        if depth > 0:
            closed[-1] += separator + part
        else:
            closed.append(part)
        depth += part.count("(") - part.count(")")
    return closed


def number_tags(tags: list[str]) -> list[str]:
    """A name for each tag; the second of two equal ones is a tag of its own.

    >>> number_tags(["V", "PRF", "PRF"])
    ['V', 'PRF', 'PRF\\t2']
    """
    counts = {}
    names = []
    for tag in tags:
        counts[tag] = counts.get(tag, 0) + 1
        names.append(tag if counts[tag] == 1 else f"{tag}{TAB}{counts[tag]}")  # no tag has a tab
    return names


class Vocabulary:
    """Symbols and their ids; see `seq2seq.data.vocabulary`, of which this is what decoding needs.

    Args:
        symbols: the symbols from id 4 on.
        tokeniser: `"characters"`, `"graphemes"`, `"words"` or `"symbols"`.
        normalization: the normal form of Unicode that every text is brought to.
    """

    def __init__(self, symbols: list[str], tokeniser: str, normalization: str = "none"):
        choose("tokeniser", tokeniser, SPLITS)
        self.normalization = choose("normalization", normalization, FORMS)
        check_texts("symbols", symbols)
        self.split, self.joint = SPLITS[tokeniser], JOINTS[tokeniser]
        self.symbols, self.tags = (*SPECIALS, *symbols), ()
        self.size = len(self.symbols)
        self.ids = {symbol: number for number, symbol in enumerate(symbols, len(SPECIALS))}

    def tokens(self, text: str) -> list[str]:
        """The symbols of `text`."""
        return self.split(normalize(text, self.normalization))

    def encode(self, text: str, unknown: str) -> list[int]:
        """Ids of `text` and an end; a ValueError names an unknown symbol if that is an error."""
        tokens = self.tokens(text)
        numbers = [self.ids.get(token, UNKNOWN) for token in tokens]
        if unknown == "error" and UNKNOWN in numbers:
            place = numbers.index(UNKNOWN)
            raise ValueError(
                f"symbol {describe_symbol(tokens[place])} at position {place + 1} was never seen "
                "in training; remove it, or let the unknown token stand for it (--unknown token; "
                'in Python unknown="token")'
            )
        return [*numbers, END]

    def encode_copies(self, tokens: list[str]) -> list[int]:
        """What a pointer says that copies each of `tokens`, and an end; unseen ones by place."""
        first = {}
        for place, token in enumerate(tokens):
            first.setdefault(token, self.size + place)
        return [*(self.ids.get(token, first[token]) for token in tokens), END]

    def decode(self, ids: Iterable[int], source: list[str]) -> list[str]:
        """Symbols of `ids`; those beyond the vocabulary point into `source`."""
        return [self.symbols[i] if i < self.size else source[i - self.size] for i in ids]

    def join(self, tokens: list[str]) -> str:
        """Text of symbols."""
        return self.joint.join(tokens)


class Numbers:
    """Real values as text, `"0.1,0.2 0.3,0.4"`; see `seq2seq.data.vocabulary`."""

    def __init__(self, features: int, mean: float | list, scale: float | list):
        self.size, self.tags = check_count("features", features), ()
        for name, numbers, least in (("mean", mean, -1e300), ("scale", scale, 5e-324)):
            several = numbers if isinstance(numbers, list) else [numbers]
            fits = len(several) == features or several is not numbers
            if not fits or not all(is_number(number, least, 1e300) for number in several):
                raise ValueError(
                    f"expected a number as {name}, or one for each feature, got {str(numbers):.80}"
                )
        # A view: a damaged header may ask for more features than memory holds.
        self.mean, self.scale = (
            np.broadcast_to(np.array(numbers, "float64"), features) for numbers in (mean, scale)
        )

    def tokens(self, text: str) -> list[tuple[float, ...]]:
        """The values of `text` in their own units, a tuple a step; a ValueError names a bad one."""
        rows = []
        for place, step in enumerate(text.split(), 1):
            try:
                values = tuple(float(value) for value in step.replace("_", "?").split(","))
            except ValueError:
                raise ValueError(f"{step!r} at position {place} is not a number") from None
            rows.append(values)
            if len(values) != self.size or not all(abs(value) <= LARGEST for value in values):
                raise ValueError(
                    f"{step!r} at position {place} must hold {self.size} finite value(s) of at "
                    f"most {LARGEST:g}, separated by commas"
                )
        return rows

    def encode(self, text: str, unknown: str) -> np.ndarray:
        """Standardised values (time, features), float32; no symbol is unknown here."""
        del unknown
        values = np.array(self.tokens(text), "float64").reshape(-1, self.size)
        return ((values - self.mean) / self.scale).astype("float32")

    def decode(self, values: np.ndarray, source: list) -> list[tuple[float, ...]]:
        """Standardised `values` (time, features) in their own units; nothing is copied here."""
        del source
        restored = np.asarray(values, "float64").reshape(-1, self.size)
        return [tuple(step) for step in (restored * self.scale + self.mean).tolist()]

    def join(self, tokens: list[tuple[float, ...]]) -> str:
        """Text of values, with the digits that their spread calls for."""
        return " ".join(",".join(map(write_number, step, self.scale)) for step in tokens)


class Tagged(Vocabulary):
    """Sources with tags, `source<TAB>tag;tag`; see `seq2seq.data.tags`."""

    def __init__(self, symbols: dict, tags: list[str], separator: str, multiset: bool = True):
        super().__init__(**{key: value for key, value in symbols.items() if key != "kind"})
        check_texts("tags", tags)
        if type(multiset) is not bool:
            raise ValueError(f"multiset must be true or false, got {multiset!r}")
        self.multiset = multiset
        if type(separator) is not str or not separator or TAB in separator:
            raise ValueError(f"the separator of tags must be text, got {separator!r}")
        self.tags, self.separator = list(tags), separator

    def tokens(self, text: str) -> list[str]:
        """The symbols of the source."""
        return super().tokens(text.rpartition(TAB)[0] if TAB in text else text)

    def encode(self, text: str, unknown: str) -> list[int]:
        """Ids of the source, see `Vocabulary.encode`."""
        if text.count(TAB) > 1:
            raise ValueError(f"{text!r} holds two tabs: expected source<TAB>tags")
        return super().encode(text, unknown)

    def encode_tags(self, text: str, unknown: str) -> np.ndarray:
        """(tags,), 1.0 for each tag of `text`; a ValueError names an unknown one."""
        if TAB not in text and unknown == "error":
            raise ValueError(f"{text!r} has no tags: expected source<TAB>tags")
        found = np.zeros(len(self.tags), "float32")
        for tag in self._name_tags(text.partition(TAB)[2]):
            if tag in self.tags:
                found[self.tags.index(tag)] = 1.0
            elif unknown == "error":
                raise ValueError(describe_unknown_tag(tag, self.separator, self.tags))
        return found

    def _name_tags(self, text: str) -> list[str]:
        if self.multiset:
            return number_tags(split_tags(normalize(text, self.normalization), self.separator))
        return [tag.strip() for tag in text.split(self.separator) if tag.strip()]


def describe_unknown_tag(tag: str, separator: str, tags: Iterable[str]) -> str:
    """What is wrong with a tag that training never showed."""
    name, _, number = tag.partition(TAB)
    times = f" {number} times in one source" if number else ""
    known = ", ".join(tag for tag in tags if TAB not in tag)
    return (
        f"tag {name!r} was never seen{times} in training (--unknown token leaves it out); tags are "
        f"separated by {separator!r}, there are: {known}"
    )


SIDES = {"tokens": Vocabulary, "numbers": Numbers, "tagged": Tagged}


def make_side(config: dict) -> Vocabulary | Numbers | Tagged:
    """One side of a task from the header."""
    kind = choose("kind of side", config["kind"], SIDES)
    return SIDES[kind](**{key: value for key, value in config.items() if key != "kind"})


def check_texts(name: str, texts: object) -> None:
    """Raise a ValueError unless `texts` are different texts."""
    if not isinstance(texts, (list, tuple)) or not all(type(text) is str for text in texts):
        raise ValueError(f"{name} must be a list of texts, got {str(texts):.80}")
    if len(set(texts)) < len(texts):
        raise ValueError(f"{name} holds a text twice")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair: it could not be printed
        raise ValueError(f"{name} holds what is no character ({error.reason})") from None


def is_number(value: object, least: float, most: float) -> bool:
    """Whether `value` is a number in this range; not a number is in none."""
    return type(value) in (int, float) and least <= value <= most


def check_count(name: str, value: object, most: int = 10**9) -> int:
    """`value` if it is a whole number of at least 1."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}, got {value}")
    return value


def choose(what: str, name: object, known: Iterable[str]) -> str:
    """`name` if it is one of `known`; else a ValueError."""
    if name not in (known := list(known)):
        raise ValueError(f"unknown {what} {name!r}; there are: {', '.join(known)}")
    return name


# -------------------------------------------------------------------------- recurrent layers


class Weights:
    """The arrays of a model, or those below one path of it, as float32."""

    def __init__(self, arrays: dict[str, np.ndarray], path: str = ""):
        self.arrays, self.path = arrays, path

    def below(self, *names: str) -> Weights:
        """Those whose path goes on with `names`."""
        return Weights(self.arrays, self.path + "".join(f"{name}/" for name in names))

    def take(self, name: str, *shape: int) -> np.ndarray:
        """The array of this name; a ValueError if it is missing or of another shape."""
        array = self.arrays.get(self.path + name)
        if array is None or array.shape != shape:
            found = "is missing" if array is None else f"has shape {array.shape}"
            raise ValueError(f"the weight {self.path}{name} {found}, {shape} is needed")
        if not np.isfinite(array).all():
            raise ValueError(f"the weight {self.path}{name} holds values that are not finite")
        return np.ascontiguousarray(array, "float32")

    def dense(self, name: str, size: int, inputs: int, bias: bool = True) -> Dense:
        """A dense layer."""
        layer = self.below(name)
        kernel = layer.take("kernel", inputs, size)  # whether there is so much is known after it
        return Dense(kernel, layer.take("bias", size) if bias else np.zeros(size, "float32"))


class Dense(NamedTuple):
    """W x + b, with `kernel` (inputs, size) and `bias` (size,)."""

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """`inputs` (..., inputs) to (..., size), by one product."""
        flat = inputs.reshape(-1, inputs.shape[-1]) @ self.kernel
        flat += self.bias
        return flat.reshape(*inputs.shape[:-1], -1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without an overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def normalise(values: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Layer normalisation (Ba et al. 2016) over the last axis, with Keras's epsilon."""
    centred = values - values.mean(-1, keepdims=True)
    variance = np.square(centred).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-3) * gamma


class Cell:
    """A simple RNN (Elman 1990), and what all recurrent layers share.

    Gates that go through a sigmoid stand first and are halved when they are loaded: since
    sigmoid(x) = (tanh(x / 2) + 1) / 2, one tanh then serves all gates.

    Args:
        weights: at the layer's path.
        units, inputs: sizes of its state and of what it reads.
        layer_norm: whether the gates' two parts are normalised.
        embeddings: (vocabulary, size) of the tokens that it reads first; None: it reads vectors.
    """

    name, gates, sigmoids, fields = "simple_rnn_cell", (0,), 0, 1
    biases: tuple = ()  # axes of the bias before its last

    def __init__(self, weights: Weights, units: int, inputs: int, layer_norm: bool, embeddings):
        self.units, self.layer_norm, width = units, layer_norm, units * len(self.gates)
        own = weights.below(self.name)
        self.kernel = self._arrange(own.take("kernel", inputs, width), not layer_norm)
        self.recurrent = self._arrange(own.take("recurrent_kernel", units, width), not layer_norm)
        self.bias = self._arrange(own.take("bias", *self.biases, width))
        if layer_norm:
            norms = [weights.below(name) for name in ("inputs_norm", "hidden_norm")]
            self.norms = [self._arrange(norm.take("gamma", width)) for norm in norms]
        self.embeddings, self.table, self.finished = embeddings, None, False
        if embeddings is not None:
            self._fold(embeddings, inputs)

    def _arrange(self, array: np.ndarray, halve: bool = True) -> np.ndarray:
        parts = np.split(array, len(self.gates), axis=-1)
        halves = [0.5 if halve and place < self.sigmoids else 1.0 for place in range(len(parts))]
        parts = [parts[gate] * np.float32(half) for gate, half in align(self.gates, halves)]
        return np.ascontiguousarray(np.concatenate(parts, axis=-1))

    def _fold(self, embeddings: np.ndarray, inputs: int) -> None:
        """Embedding, kernel and bias become one table (vocabulary, gates), unless it is large."""
        if len(embeddings) * self.kernel.shape[1] > MOST_FOLDED:
            return
        self.table = embeddings @ self.kernel[: embeddings.shape[1]]
        # A normalisation has to wait for whatever else is read.
        self.finished = not self.layer_norm or inputs == embeddings.shape[1]
        if self.finished:
            self.table = self._finish(self.table)

    def _finish(self, heard: np.ndarray) -> np.ndarray:
        if self.layer_norm:
            heard = normalise(heard, self.norms[0])
        return heard + (self.bias[0] if self.biases else self.bias)

    def read(self, inputs: np.ndarray, more: tuple = ()) -> np.ndarray:
        """What the gates hear (..., gates) of `inputs`: tokens (...) or vectors (..., size).

        Args:
            inputs: tokens if it has embeddings.
            more: further parts that are added, each (batch, gates).
        """
        if self.table is not None:
            heard = self.table[inputs]
        else:
            vectors = inputs if self.embeddings is None else self.embeddings[inputs]
            *shape, size = vectors.shape
            heard = vectors.reshape(math.prod(shape), size) @ self.kernel[:size]
            heard = heard.reshape(*shape, -1)
        for part in more:
            heard += part
        return heard if self.finished else self._finish(heard)

    def _recall(self, hidden: np.ndarray) -> np.ndarray:
        """What the gates hear of the hidden state (batch, units)."""
        heard = hidden @ self.recurrent
        return normalise(heard, self.norms[1]) if self.layer_norm else heard

    def step(self, heard: np.ndarray, state: tuple) -> tuple:
        """The state after a step: hidden, and of an LSTM cell, each (batch, units).

        Args:
            heard: from `read`, (batch, gates).
            state: before the step.
        """
        gates = self._recall(state[0])
        gates += heard
        return (np.tanh(gates, out=gates),)


class LSTM(Cell):
    """Hochreiter and Schmidhuber 1997, with a forget gate; see `seq2seq.layers.lstm`."""

    name, gates, sigmoids, fields = "lstm_cell", (0, 1, 3, 2), 3, 2  # stored as i, f, g, o

    def __init__(self, weights: Weights, units: int, inputs: int, layer_norm: bool, embeddings):
        super().__init__(weights, units, inputs, layer_norm, embeddings)
        if layer_norm:
            norm = weights.below("cell_norm")
            self.gamma, self.beta = norm.take("gamma", units), norm.take("beta", units)

    def step(self, heard: np.ndarray, state: tuple) -> tuple:
        """See `Cell.step`."""
        gates = self._recall(state[0])
        gates += heard
        np.tanh(gates, out=gates)
        units, first = self.units, gates[:, : 3 * self.units]
        first += 1.0
        first *= 0.5
        cell = gates[:, units : 2 * units] * state[1]
        cell += gates[:, :units] * gates[:, 3 * units :]
        hidden = np.tanh(normalise(cell, self.gamma) + self.beta if self.layer_norm else cell)
        hidden *= gates[:, 2 * units : 3 * units]
        return hidden, cell


class GRU(Cell):
    """Cho et al. 2014, with the reset after the product; see `seq2seq.layers.recurrent`."""

    name, gates, sigmoids, biases = "gru_cell", (0, 1, 2), 2, (2,)  # stored as z, r, g

    def step(self, heard: np.ndarray, state: tuple) -> tuple:
        """See `Cell.step`."""
        recalled = self._recall(state[0])
        recalled += self.bias[1]
        units, middle = self.units, 2 * self.units
        gates = recalled[:, :middle]
        gates += heard[:, :middle]
        np.tanh(gates, out=gates)
        gates += 1.0
        gates *= 0.5
        candidate = np.tanh(heard[:, middle:] + gates[:, units:] * recalled[:, middle:])
        return (candidate + gates[:, :units] * (state[0] - candidate),)


CELLS = {"lstm": LSTM, "gru": GRU, "rnn": Cell}
MOST_FOLDED = 2**24  # numbers in a table of tokens


class Stack:
    """Recurrent layers on top of each other; the first reads tokens, if there are embeddings."""

    def __init__(self, weights: Weights, config: dict, inputs: int, embeddings, backward=False):
        cell, units, layers = config["cell"], config["units"], config["layers"]
        kind = CELLS[choose("kind of cell", cell["kind"], CELLS)]
        self.residual, self.cells, self.backward = cell["residual"], [], []
        self.output_size = units * (2 if backward else 1)
        for number in range(layers):
            for place, name in enumerate(("layer", "backward")[: 2 if backward else 1]):
                own = weights.below("stack", f"{name}_{number}")
                made = kind(own, units, inputs, cell["layer_norm"], embeddings)
                (self.cells, self.backward)[place].append(made)
            inputs, embeddings = self.output_size, None

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Of each layer's state."""
        return [(self.output_size,) * cell.fields for cell in self.cells]

    def step(self, heard: np.ndarray, states: tuple) -> tuple[np.ndarray, tuple]:
        """What the top layer says (batch, units) and all states, from what the first hears."""
        after = [self.cells[0].step(heard, states[0])]
        said = after[0][0]
        for cell, before in align(self.cells[1:], states[1:]):
            after.append(cell.step(cell.read(said), before))
            said = said + after[-1][0] if self.residual else after[-1][0]
        return said, tuple(after)

    def run(self, sequence: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, tuple]:
        """Whole sequences: what the top layer says (time, batch, size), zeros in padding; states.

        Args:
            sequence: tokens (time, batch) or values (time, batch, features), padded at the end.
            lengths: (batch,), the longest first, so that those that go on at a time come first.
        """
        states = []
        for number, cell in enumerate(self.cells):
            said, state = unroll(cell, cell.read(sequence), lengths)
            if self.backward:
                back = self.backward[number]
                other, ends = unroll(back, reverse(back.read(sequence), lengths), lengths)
                said = np.concatenate([said, reverse(other, lengths)], axis=2)
                state = tuple(np.concatenate(pair, axis=1) for pair in align(state, ends))
            sequence = said + sequence if self.residual and number else said
            states.append(state)
        return sequence, tuple(states)


def unroll(cell: Cell, heard: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, tuple]:
    """One layer over `heard` (time, batch, gates): its hidden states, and its last state."""
    time, batch = heard.shape[:2]
    state = tuple(np.zeros((batch, cell.units), "float32") for _ in range(cell.fields))
    said = np.zeros((time, batch, cell.units), "float32")
    for step in range(time):
        live = np.count_nonzero(lengths > step)  # those that go on; the others change no more
        after = cell.step(heard[step, :live], tuple(part[:live] for part in state))
        for part, new in align(state, after):
            part[:live] = new
        said[step, :live] = after[0]
    return said, state


def reverse(sequence: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The real steps of `sequence` (time, batch, ...) from last to first; padding stays behind."""
    steps = np.arange(len(sequence))[:, None]
    places = np.where(steps < lengths, lengths - 1 - steps, steps)
    return sequence[places, np.arange(len(lengths))]


# ------------------------------------------------------------------------------- the bridges


class Bridge:
    """How the encoder's states start the decoder; see `seq2seq.layers.bridges`.

    Args:
        kind: which bridge.
        weights: the model's.
        name: of the bridge.
        given, sizes: of the states of encoder and decoder, a tuple a layer.
    """

    KINDS = (
        "Copy",
        "HiddenOnly",
        "Dense",
        "LayerwiseDense",
        "TopLayer",
        "Zero",
        "LearnedInitialState",
    )

    def __init__(self, kind: str, weights: Weights, name: str, given: list, sizes: list):
        self.kind, self.sizes = kind, sizes
        total, own = sum(map(sum, given)), weights.below(name)
        if kind == "LearnedInitialState":
            self.parts = self._make(lambda part, size, _: own.below(name).take(part, size))
        elif kind == "Dense":
            self.parts = self._make(lambda part, size, _: own.dense(part, size, total))
        elif kind == "LayerwiseDense":
            self.parts = self._make(lambda part, size, at: own.dense(part, size, given[at][0]))

    def _make(self, make: Callable) -> list[tuple]:
        """`make(name, size, layer)` for each of the decoder's states."""
        return [
            tuple(
                make(f"layer_{number}_{field}", size, number)
                for field, size in zip(("hidden", "cell"), layer)
            )
            for number, layer in enumerate(self.sizes)
        ]

    def __call__(self, states: tuple) -> tuple:
        """The decoder's first states."""
        batch = len(states[0][0])
        if self.kind == "Copy":
            return states
        if self.kind == "TopLayer":
            return states[-1:] * len(self.sizes)
        if self.kind == "LearnedInitialState":
            return tuple(
                tuple(np.repeat(s[None], batch, axis=0) for s in one) for one in self.parts
            )
        if self.kind in ("Zero", "HiddenOnly"):
            zeros = [tuple(np.zeros((batch, n), "float32") for n in layer) for layer in self.sizes]
            if self.kind == "Zero":
                return tuple(zeros)
            return tuple((one[0], *rest[1:]) for one, rest in align(states, zeros))
        if self.kind == "Dense":
            joined = np.concatenate([part for state in states for part in state], axis=1)
            states = tuple((joined,) * len(layer) for layer in self.sizes)
        started = []
        for layer, state in align(self.parts, states):
            hidden, *cell = [project(part) for project, part in align(layer, state)]
            started.append((np.tanh(hidden), *cell))  # a hidden state is bounded, a cell is not
        return tuple(started)


# --------------------------------------------------------------------------------- attention


class Memory(NamedTuple):
    """What is known of the sources; the batch comes first here, since attention reads it so.

    Attributes:
        values: (batch, time, size), what the encoder said.
        mask: (batch, 1, time), True for real steps; None: all are.
        lengths: (batch, 1, 1).
        keys: what attention compares with.
        tags: (batch, embedding_size), the vector of the tags; None without.
        heard: (batch, gates), what the decoder's gates hear of the tags.
        copies: (batch, time), what is said by copying each step; None without.
    """

    values: np.ndarray
    mask: np.ndarray | None
    lengths: np.ndarray
    keys: np.ndarray | None = None
    tags: np.ndarray | None = None
    heard: np.ndarray | None = None
    copies: np.ndarray | None = None


def softmax(scores: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Of the last axis; 0 where `mask` is False."""
    if mask is not None:
        scores = np.where(mask, scores, np.float32(-1e9))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights


class Attention:
    """What the decoder looks at; see `seq2seq.layers.attention`.

    Args:
        kind: which attention.
        weights: at its path.
        config: its arguments.
        query_size, memory_size: of the decoder's hidden state, and of what the encoder says.
    """

    KINDS = (
        "Dot",
        "Scaled",
        "General",
        "Additive",
        "Concat",
        "Local",
        "FixedContext",
        "RepeatVector",
    )

    def __init__(
        self, kind: str, weights: Weights, config: dict, query_size: int, memory_size: int
    ):
        self.kind, self.pairs = kind, kind in ("Additive", "Concat")
        self.fixed, self.alone = kind in ("FixedContext", "RepeatVector"), kind == "RepeatVector"
        self.before = self.fixed or config["before"]
        self.input_feeding = not self.fixed and config["input_feeding"]
        self.coverage = self.pairs and config["coverage"]
        if self.pairs:
            units = config["units"] or query_size
            self.query = weights.dense("query", units, query_size, bias=False)
            self.key = weights.dense("key", units, memory_size)
            self.energy = weights.dense("energy", 1, units, bias=False).kernel[:, 0]
        elif kind in ("General", "Local"):
            self.key = weights.dense("key", query_size, memory_size, bias=False)
        if self.coverage:
            self.covered = weights.dense("coverage", units, 1, bias=False).kernel[0]
        if kind == "Local":
            self.width = config["width"]
            self.hidden = weights.dense("hidden", query_size, query_size, bias=False)
            self.place = weights.dense("position", 1, query_size, bias=False)

    def keys(self, values: np.ndarray, states: tuple) -> np.ndarray:
        """What queries are compared with, of the encoder's `values` (batch, time, size).

        Returns:
            (batch, size, time); of pairs (batch, 1, time, units); if fixed the context.
        """
        if self.fixed:
            return states[-1][0]
        if self.pairs:
            return self.key(values)[:, None]
        keys = self.key(values) if self.kind in ("General", "Local") else values
        return keys.transpose(0, 2, 1)

    def __call__(self, query: np.ndarray, memory: Memory, coverage: np.ndarray | None):
        """Contexts (rows, size) and weights (rows, time), if fixed None.

        Args:
            query: (rows, query_size), as many of each source, one after the other.
            memory: of the sources.
            coverage: (rows, time), all weights so far; None: they play no part.
        """
        if self.fixed:
            return spread(memory.keys, len(query)), None
        batch, time = memory.values.shape[:2]
        query = query.reshape(batch, -1, query.shape[-1])
        if self.pairs:
            pairs = self.query(query)[:, :, None] + memory.keys  # (batch, queries, time, units)
            if self.coverage:
                pairs += coverage.reshape(batch, -1, time, 1) * self.covered
            scores = np.tanh(pairs, out=pairs) @ self.energy
        else:
            scores = query @ memory.keys
        if self.kind == "Scaled":
            scores *= np.float32(query.shape[-1] ** -0.5)
        if self.kind == "Local":
            weights = self._weigh_near(query, scores, memory)
        else:
            weights = softmax(scores, memory.mask)
        context = weights @ memory.values
        return context.reshape(-1, context.shape[-1]), weights.reshape(-1, time)

    def _weigh_near(self, query: np.ndarray, scores: np.ndarray, memory: Memory) -> np.ndarray:
        """Softmax in a window, times a bell around the predicted place in its middle."""
        place = (memory.lengths - 1) * sigmoid(self.place(np.tanh(self.hidden(query))))
        distance = np.arange(scores.shape[-1], dtype="float32") - place
        near = np.abs(distance) <= self.width
        near = near if memory.mask is None else near & memory.mask
        bell = np.exp(np.square(distance) / np.float32(-2 * (self.width / 2) ** 2))
        return softmax(scores, near) * bell


def spread(part: np.ndarray, rows: int) -> np.ndarray:
    """`part` (batch, ...) with each entry as often as there are rows of it."""
    return part if len(part) == rows else np.repeat(part, rows // len(part), axis=0)


# --------------------------------------------------------------------------------- the model

READOUTS = ("dense", "tied", "pointer")
LEAST = 1e-30  # probability of what can't be said


class State(NamedTuple):
    """What the decoder remembers between two steps.

    Attributes:
        layers: the state of each layer, a tuple of (rows, units).
        fed: (rows, units), what the next step reads of this one; None without input feeding.
        coverage: (rows, time), the sum of all attention weights; None without coverage.
    """

    layers: tuple
    fed: np.ndarray | None = None
    coverage: np.ndarray | None = None


def take(part, rows: np.ndarray):
    """The rows `rows` of every array in a structure of tuples."""
    if isinstance(part, tuple):
        taken = [take(one, rows) for one in part]
        return type(part)(*taken) if isinstance(part, (State, Memory)) else tuple(taken)
    return None if part is None else part[rows]


class Encoder:
    """Reads sources; see `seq2seq.models.encoder`."""

    def __init__(self, weights: Weights, config: dict):
        self.backwards, own = config["backwards"], weights.below(config["name"])
        self.embeddings, inputs = read_embeddings(own, config)
        self.stack = Stack(own, config, inputs, self.embeddings, config["bidirectional"])

    def __call__(self, source: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, tuple]:
        """Values (batch, time, size) and states of sources; see `Stack.run`."""
        if self.backwards:
            values, states = self.stack.run(reverse(source, lengths), lengths)
            values = reverse(values, lengths)
        else:
            values, states = self.stack.run(source, lengths)
        return np.ascontiguousarray(values.swapaxes(0, 1)), states


def read_embeddings(weights: Weights, config: dict) -> tuple[np.ndarray | None, int]:
    """A side's embeddings, None for real values, and how many numbers a step of it has."""
    if config["vocabulary_size"] is None:
        return None, config["features"]
    size = config["embedding_size"]
    table = weights.below("input_embedding", "embedding")
    return table.take("embeddings", config["vocabulary_size"], size), size


class Decoder:
    """Says targets; see `seq2seq.models.decoder`.

    Args:
        weights: the model's.
        config: the decoder's.
        memory_size: of what the encoder says at each step.
        embeddings: the encoder's, if the decoder reads with them.
    """

    def __init__(self, weights: Weights, config: dict, memory_size: int, embeddings):
        self.size, units = config["vocabulary_size"], config["units"]
        own = weights.below(config["name"])
        self.attention = None
        if config["attention"]:
            kind, options = read_part(config["attention"], "attention", Attention.KINDS)
            place = own.below(options["name"])
            self.attention = Attention(kind, place, options, units, memory_size)
        self.alone = self.attention is not None and self.attention.alone
        if self.alone:  # it reads no tokens
            self.embeddings, inputs = None, 0
        elif embeddings is None:
            self.embeddings, inputs = read_embeddings(own, config)
        else:
            self.embeddings, inputs = embeddings, config["embedding_size"]
        tags = config["embedding_size"] if config["tags"] else 0
        more, said = self._sizes(units, memory_size)
        self.stack = Stack(own, config, inputs + tags + more, self.embeddings)
        self.cell = self.stack.cells[0]  # it reads a token, tags, and a context or what is fed
        self.tags_kernel = self.cell.kernel[inputs : inputs + tags]
        self.more_kernel = self.cell.kernel[inputs + tags :]
        self.tags = own.dense("tags", tags, config["tags"], bias=False) if tags else None
        if self.attention and not self.attention.before:
            self.combine = own.dense("combine", units, units + memory_size)
        self._make_readout(own, config, said, inputs + tags + more + memory_size)

    def _sizes(self, units: int, memory_size: int) -> tuple[int, int]:
        """How many numbers the first layer reads beside tokens and tags, and the readout reads."""
        if self.attention is None:
            return 0, units
        if self.alone:
            return memory_size, units
        if self.attention.before:
            return memory_size, units + memory_size
        return units if self.attention.input_feeding else 0, units

    def _make_readout(self, weights: Weights, config: dict, said: int, seen: int) -> None:
        kind = choose("readout", config["readout"], READOUTS)
        size = self.size or config["features"]
        self.pointer = kind == "pointer"
        own = weights.below("readout")
        self.shrink = None
        if kind == "tied":
            shrink, table = (
                own.dense("projection", self.embeddings.shape[1], said),
                self.embeddings.T,
            )
            self.shrink, self.logits = shrink, Dense(table, own.below("readout").take("bias", size))
            if said * size <= MOST_FOLDED:  # both products become one
                bias = shrink.bias @ table + self.logits.bias
                self.shrink, self.logits = None, Dense(shrink.kernel @ table, bias)
        else:
            self.logits = own.dense("logits", size, said)
        if self.pointer:
            self.share = own.dense("p_gen", 1, said + seen)

    def start(self, states: tuple, memory: Memory, encoded: tuple) -> tuple[State, Memory]:
        """The state before the first step, and the memory with what is computed once.

        Args:
            states: from the bridge.
            memory: its tags are (batch, tags).
            encoded: the encoder's states.
        """
        if self.tags is not None:
            tags = self.tags(memory.tags)
            memory = memory._replace(tags=tags, heard=tags @ self.tags_kernel)
        if self.attention is None:
            return State(states), memory
        memory = memory._replace(keys=self.attention.keys(memory.values, encoded))
        batch, time = memory.values.shape[:2]
        shape = (batch, self.stack.output_size)
        fed = np.zeros(shape, "float32") if self.attention.input_feeding else None
        covered = np.zeros((batch, time), "float32") if self.attention.coverage else None
        return State(states, fed, covered), memory

    def step(self, tokens: np.ndarray, state: State, memory: Memory) -> tuple[np.ndarray, State]:
        """One step: logits (rows, vocabulary), or of a pointer (rows, vocabulary + time).

        Args:
            tokens: (rows,), what was said before; real values: (rows, features).
            state: of each row.
            memory: of each source; rows of one source stand together.
        """
        if self.pointer:
            tokens = np.where(tokens < self.size, tokens, UNKNOWN)
        more, weights, attention = state.fed, None, self.attention
        if attention and attention.before:
            more, weights = attention(state.layers[-1][0], memory, state.coverage)
        heard = [] if self.tags is None else [spread(memory.heard, len(tokens))]
        if more is not None:
            heard.append(more @ self.more_kernel)
        if self.alone:
            tokens = np.zeros((len(tokens), 0), "float32")
        said, layers = self.stack.step(self.cell.read(tokens, heard), state.layers)
        context, fed = more, None
        if attention and attention.before and not self.alone:
            said = np.concatenate([said, context], axis=1)
        elif attention and not attention.before:
            context, weights = attention(said, memory, state.coverage)
            said = np.tanh(self.combine(np.concatenate([context, said], axis=1)))
            fed = said if attention.input_feeding else None
        logits = self.logits(said if self.shrink is None else self.shrink(said))
        if self.pointer:
            tags = None if self.tags is None else spread(memory.tags, len(tokens))
            seen = (said, self.embeddings[tokens], tags, more, context)
            seen = np.concatenate([part for part in seen if part is not None], axis=1)
            share = self.share(seen)
            logits = self._point(logits, share, weights, memory)
        coverage = None if state.coverage is None else state.coverage + weights
        return logits, State(layers, fed, coverage)

    def _point(self, logits: np.ndarray, share: np.ndarray, weights: np.ndarray, memory: Memory):
        """Logarithms of the pointer's mixture (See et al. 2017); see `seq2seq.layers.copying`."""
        rows, time = weights.shape
        mixed = np.zeros((rows, self.size + time), "float32")
        mixed[:, : self.size] = sigmoid(share) * softmax(logits)
        weights = weights * (sigmoid(-share) / weights.sum(1, keepdims=True))
        places = spread(memory.copies, rows) + np.arange(rows)[:, None] * mixed.shape[1]
        np.add.at(mixed.reshape(-1), places.reshape(-1), weights.reshape(-1))
        mixed = np.log(np.maximum(mixed, np.float32(LEAST)))
        # What stands at no place of its own source can't be said, however long the others are.
        beyond = np.arange(time) >= spread(memory.lengths[:, 0], rows) - 1
        mixed[:, self.size :][beyond] = -np.inf
        return mixed


SIZES = ("layers", "embedding_size", "width")
SIZES_OR_NONE = ("units", "vocabulary_size", "features", "tags")
SWITCHES = ("residual", "layer_norm", "bidirectional", "backwards", "before", "input_feeding")
SWITCHES += ("coverage", "tied_embeddings")


def check_structure(part: object) -> None:
    """Raise a ValueError if a size in a serialised model is no size, or a switch no switch."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in SIZES or (key in SIZES_OR_NONE and value is not None):
            check_count(key, value)
        if key in SWITCHES and type(value) is not bool:
            raise ValueError(f"{key} must be true or false, got {value!r}")
        check_structure(value)


def read_part(config: dict, role: str, known: Iterable[str]) -> tuple[str, dict]:
    """The class and the arguments of a part that Keras has serialised."""
    name = choose(role, config["registered_name"], [f"seq2seq>{one}" for one in known])
    return name.removeprefix("seq2seq>"), config["config"]


class Model:
    """Encoder, bridge and decoder; see `seq2seq.models.seq2seq`."""

    def __init__(self, arrays: dict[str, np.ndarray], config: dict):
        check_structure(config)
        weights = Weights(arrays)
        _, parts = read_part(config, "model", ("Seq2Seq",))
        _, encoder = read_part(parts["encoder"], "encoder", ("Encoder",))
        _, decoder = read_part(parts["decoder"], "decoder", ("Decoder",))
        kind, bridge = read_part(parts["bridge"], "bridge", Bridge.KINDS)
        self.encoder = Encoder(weights, encoder)
        shared = self.encoder.embeddings if parts["tied_embeddings"] else None
        self.decoder = Decoder(weights, decoder, self.encoder.stack.output_size, shared)
        given, sizes = self.encoder.stack.sizes, self.decoder.stack.sizes
        self.bridge = Bridge(kind, weights, bridge["name"], given, sizes)
        self.features = decoder["features"]
        self.reads = encoder["features"] or encoder["vocabulary_size"]
        self.says = decoder["features"] or decoder["vocabulary_size"]
        self.tags = decoder["tags"]
        if (parts["start_id"], parts["end_id"]) != (START, END):
            ids = f"start_id={parts['start_id']} and end_id={parts['end_id']}"
            raise ValueError(f"this runtime knows start_id=1 and end_id=2, got {ids}")

    def start(self, source: np.ndarray, lengths: np.ndarray, tags, copies):
        """The decoder's first state, and what is known of the sources; see `Stack.run`."""
        values, states = self.encoder(source, lengths)
        mask = None
        if lengths[-1] < len(source):
            mask = (np.arange(len(source)) < lengths[:, None])[:, None]
        counts = lengths.astype("float32")[:, None, None]
        memory = Memory(values, mask, counts, tags=tags, copies=copies)
        return self.decoder.start(self.bridge(states), memory, states)

    def step(self, tokens: np.ndarray, state: State, memory: Memory):
        """Log-probabilities (rows, symbols) of what comes next, and the state.

        Pad and start are never said.
        """
        logits, state = self.decoder.step(tokens, state, memory)
        logits -= logits.max(-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        logits[:, : START + 1] = -np.inf
        return logits, state


# ------------------------------------------------------------------------------------ search

Found = tuple[list, float]  # tokens without the end, and their log-probability with it


def greedy(model: Model, state: State, memory: Memory, limits: np.ndarray) -> list[list[Found]]:
    """The likeliest token each step, until the end or the limit of each source."""
    tokens: list[list[int]] = [[] for _ in limits]
    scores = np.zeros(len(limits), "float32")
    sources, said = np.arange(len(limits)), np.full(len(limits), START)
    for step in range(int(limits.max())):
        log_probabilities, state = model.step(said, state, memory)
        said = log_probabilities.argmax(1)
        scores[sources] += log_probabilities[np.arange(len(said)), said]
        for source, token in align(sources.tolist(), said.tolist()):
            if token != END:
                tokens[source].append(token)
        live = (said != END) & (limits[sources] > step + 1)
        if not live.any():
            break
        if not live.all():
            sources, said = sources[live], said[live]
            state, memory = take(state, live), take(memory, live)
    return [[found] for found in align(tokens, scores.tolist())]


def follow(model: Model, state: State, memory: Memory, limits: np.ndarray) -> list[list[Found]]:
    """Real values, each read as it was said, for as many steps as each source is to have."""
    said = np.zeros((len(limits), model.features), "float32")
    values = np.zeros((*said.shape[:1], int(limits.max()), model.features), "float32")
    for step in range(values.shape[1]):
        said, state = model.decoder.step(said, state, memory)
        values[:, step] = said
    return [[(row[:limit], 0.0)] for row, limit in align(values, limits)]


class Beam(NamedTuple):
    """Beam search: `width` hypotheses of each source are followed at once.

    Attributes:
        width: how many.
        length_penalty: hypotheses that have ended are ranked by score / ((5 + length) / 6) ** it
            (Wu et al. 2016, eq. 14), or by score / length if it is `"average"`.
        n_best: how many are wanted.
        early_stopping: whether the first `n_best` that end are enough, or better ones are looked
            for until there can be none.
    """

    width: int
    length_penalty: float | str = 0.0
    n_best: int = 1
    early_stopping: bool = False

    def penalty(self, length: int) -> float:
        """What the score of `length` tokens, the end included, is divided by for its rank."""
        if self.length_penalty == "average":
            return length
        return ((5 + length) / 6) ** self.length_penalty

    def search(
        self, model: Model, state: State, memory: Memory, limits: np.ndarray
    ) -> list[list[Found]]:
        """At most `n_best` hypotheses of each source, the best first."""
        beams = [Hypotheses(self, limit) for limit in limits.tolist()]
        live, width = beams, self.width
        state = take(state, np.repeat(np.arange(len(beams)), width))
        said = np.full(len(beams) * width, START)
        while live:
            log_probabilities, state = model.step(said, state, memory)
            symbols = log_probabilities.shape[1]
            scores = np.array([beam.scores for beam in live], "float32").reshape(-1, 1)
            scores = (scores + log_probabilities).reshape(len(live), -1)
            best = largest(scores, 2 * width)
            parents, tokens = np.divmod(best, symbols)
            found = (np.take_along_axis(scores, best, axis=1), parents, tokens)
            for beam, *candidates in align(live, *(part.tolist() for part in found)):
                beam.advance(*candidates)
            on = np.array([not beam.done for beam in live])
            rows = [row * width + one for row, beam in enumerate(live) for one in beam.parents]
            rows = np.array(rows).reshape(-1, width)[on].reshape(-1)
            if not on.all():
                live, memory = [beam for beam in live if not beam.done], take(memory, on)
            state = take(state, rows)
            said = np.array([token for beam in live for _, token in beam.said])
        return [beam.results() for beam in beams]


class Hypotheses:
    """Those of one source, while it is searched.

    Args:
        beam: how.
        limit: the most steps.
    """

    def __init__(self, beam: Beam, limit: int):
        self.beam, self.limit, self.steps, self.done = beam, limit, 0, False
        # All are alike at first: only one of them may go on.
        self.scores = [0.0] + [-math.inf] * (beam.width - 1)
        self.said: list = [None] * beam.width  # of each: what it said before, and the last token
        self.parents = list(range(beam.width))  # which each continues
        self.pool: list[tuple] = []  # rank, score and what was said, of those that have ended

    def advance(self, scores: list[float], parents: list[int], tokens: list[int]) -> None:
        """One step, given the best `2 * width` candidates in their order."""
        self.steps += 1
        width, penalty, going = self.beam.width, self.beam.penalty(self.steps), []
        for place, (score, parent, token) in enumerate(align(scores, parents, tokens)):
            if token != END:
                going.append((score, parent, (self.said[parent], token)))
            elif place < width and score > -math.inf:
                self.pool.append((score / penalty, score, self.said[parent]))
        self.pool.sort(key=lambda ended: -ended[0])
        del self.pool[self.beam.n_best :]
        self.scores, self.parents, self.said = map(list, align(*going[:width]))
        self.done = self.steps >= self.limit or self._is_beaten()

    def _is_beaten(self) -> bool:
        """Whether what is wanted has ended, and nothing that goes on can rank before it."""
        if len(self.pool) < self.beam.n_best:
            return False
        most = self.scores[0] / self.beam.penalty(self.limit)  # scores only fall
        return self.beam.early_stopping or most <= self.pool[-1][0]

    def results(self) -> list[Found]:
        """Those that ended in order of rank, then those that were cut off in order of score."""
        cut = [(0, *one) for one in align(self.scores, self.said) if one[0] > -math.inf]
        return [(unlink(said), score) for _, score, said in (self.pool + cut)[: self.beam.n_best]]


def unlink(said: tuple | None) -> list[int]:
    """Tokens, the first first, of (what was said before, token)."""
    tokens = []
    while said is not None:
        said, token = said
        tokens.append(token)
    return tokens[::-1]


def largest(scores: np.ndarray, count: int) -> np.ndarray:
    """Places (batch, count) of the largest of `scores` (batch, size), those that tie in order."""
    least = np.partition(scores, -count, axis=1)[:, -count]
    rows, places = np.nonzero(scores >= least[:, None])  # with all that tie with the last
    order = np.lexsort((-scores[rows, places], rows))  # stable
    first = np.searchsorted(rows, np.arange(len(scores)))
    return places[order][first[:, None] + np.arange(count)]


# ------------------------------------------------------------------------------- the runtime

CHUNK = 1024  # sources that are read before they are answered
MOST_ROWS, MOST_STEPS = 256, 16_384  # decoded together: hypotheses, and steps of their sources
LONGEST_ANSWER, MOST_WIDTH, MOST_PENALTY = 100_000, 10_000, 10
# A length, as 1.5x+2: times the source's.
RELATIVE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)x([+-]\d{1,9})?")
# Settings of a file that are not followed here; of those of a beam, what they are if unused.
ABSENT = ("min_length", "banned", "allowed", "no_repeat_ngram_size", "lexicon")
PLAIN = {"coverage_penalty": 0.0, "num_groups": 1}


class Hypothesis(NamedTuple):
    """One answer.

    Attributes:
        text: as a person reads it.
        tokens: its symbols; of real values, a tuple of features a step.
        score: log-probability of its tokens and end; 0 for real values.
    """

    text: str
    tokens: list
    score: float


class BadSource(ValueError):
    """A source that can't be encoded: `number`, counted from 1, and the `reason`."""

    def __init__(self, number: int, reason: str):
        super().__init__(f"source {number}: {reason}")
        self.number, self.reason = number, reason


class Source(NamedTuple):
    """A source as it is decoded: its symbols, and what `Model.start` is given of it."""

    symbols: list
    encoded: list | np.ndarray
    tags: np.ndarray | None
    copies: list | None


class Plan(NamedTuple):
    """How sources are answered."""

    search: Callable  # of a model, a state, a memory and limits
    width: int
    unknown: str
    max_length: int | str | None


class Runtime:
    """A trained model, from text to text; `load` makes it.

    Args:
        header, arrays: from `read_artefact`.

    Raises:
        ValueError: the model has a part that is not known here; it names it.
    """

    def __init__(self, header: dict, arrays: dict[str, np.ndarray]):
        try:
            settings = header["settings"]
            self.source, self.target = make_side(header["source"]), make_side(header["target"])
            self.model = Model(arrays, header["model"])
            self.decoding = settings["decoding"]
            strategy = self.decoding.get("strategy")
            check_lengths(settings)
        except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"the header can't be read ({error!r})") from error
        if not isinstance(strategy, (dict, type(None))):
            raise ValueError(f"the strategy must be described, got {strategy!r}")
        self.longest_target = settings["longest_target"]
        self.target_length = settings["target_length"]
        sizes = [self.source.size, self.target.size]
        needs = [self.model.reads, self.model.says]
        if self.model.tags:
            sizes, needs = [*sizes, len(self.source.tags)], [*needs, self.model.tags]
        if sizes != needs:
            raise ValueError(f"its sides have {sizes} symbols or values, its model {needs}")

    def predict(
        self,
        sources: Iterable[str],
        *,
        width: int | None = None,
        length_penalty: float | str | None = None,
        n_best: int | None = None,
        unknown: str | None = None,
        max_length: int | str | None = None,
    ) -> list:
        """The answers to `sources`, in their order; what is None is as the model's run says.

        Args:
            sources: texts; with tags `source<TAB>tags`.
            width: of a beam.
            length_penalty: see `Beam`.
            n_best: None: one text a source; a number: a list of up to so many `Hypothesis`.
            unknown: a symbol never seen in training is an `"error"`, or read as the unknown
                `"token"`; a pointer copies it.
            max_length: tokens after which an answer is cut off, or `"1.5x+2"` of the source's.

        Raises:
            BadSource: a source can't be encoded (a ValueError that says which and why).
        """
        plan = self.plan(width, length_penalty, n_best, unknown, max_length)
        found = self.answer(sources, plan)
        return [best[0].text if n_best is None else best for best in found]

    def stream(
        self,
        lines: Iterable[str],
        *,
        width: int | None = None,
        length_penalty: float | str | None = None,
        n_best: int | None = None,
        unknown: str | None = None,
        max_length: int | str | None = None,
    ) -> Iterator:
        """See `predict`; what is answered is forgotten, so that there may be any number of lines.

        A bad line ends it, after all lines before were answered.
        """
        plan = self.plan(width, length_penalty, n_best, unknown, max_length)
        found = self.answer(lines, plan)
        return (best[0].text if n_best is None else best for best in found)

    def start(self, source: str, unknown: str | None = None) -> tuple[State, Memory]:
        """The state before the first step of an answer to `source`, for `step`."""
        plan = self.plan(None, None, None, unknown, None)
        return self._start([self._encode(source, plan.unknown)])

    def step(self, token: int, state: tuple[State, Memory]) -> tuple[np.ndarray, tuple]:
        """Log-probabilities (symbols,) of what follows `token` (at first 1), and the next state."""
        log_probabilities, after = self.model.step(np.array([token]), *state)
        return log_probabilities[0], (after, state[1])

    def plan(self, width, length_penalty, n_best, unknown, max_length) -> Plan:
        """How `answer` is to go about it; see `predict`."""
        stored = self.decoding
        unknown = stored.get("unknown", "error") if unknown is None else unknown
        if unknown not in ("error", "token"):
            raise ValueError(f'unknown must be "error" or "token" here, got {unknown!r}')
        most = stored.get("max_length") if max_length is None else max_length
        if not (most is None or type(most) is str and RELATIVE.fullmatch(most)):
            if check_count("max_length", most) > LONGEST_ANSWER:
                raise ValueError(f"max_length must be at most {LONGEST_ANSWER}, got {most}")
        if lacking := [f"{name}={stored[name]}" for name in ABSENT if stored.get(name)]:
            raise ValueError(f"this runtime lacks the run's {lacking[0]}; `seq2seq predict` has it")
        beam = self._choose_beam(width, length_penalty, n_best)
        if beam is not None and self.model.features is not None:
            raise ValueError(f"this model says real values, no beam can: leave out {beam}")
        if beam is not None:
            return Plan(beam.search, beam.width, unknown, most)
        return Plan(greedy if self.model.features is None else follow, 1, unknown, most)

    def _choose_beam(self, width, length_penalty, n_best) -> Beam | None:
        """The beam that is asked for, here or in the file; None: there is none."""
        stored = self.decoding.get("strategy") or {"name": "greedy"}
        name = stored.get("name")
        if width is None:
            if name not in ("greedy", "beam"):
                raise ValueError(f"this runtime lacks the strategy {name!r}: pass width=5, a beam")
            for key, value in PLAIN.items():
                if stored.get(key, value) != value:
                    raise ValueError(f"this runtime lacks {key}={stored[key]}: pass width=5")
            if name == "greedy":
                if length_penalty is not None or n_best not in (None, 1):
                    raise ValueError(
                        f"length_penalty={length_penalty} and n_best={n_best} are a beam's: pass "
                        "its width, too, for example width=5"
                    )
                return None
        own = stored if name == "beam" else {}
        width = check_count("width", own.get("width") if width is None else width, MOST_WIDTH)
        alpha = own.get("length_penalty", 0.0) if length_penalty is None else length_penalty
        count = min(check_count("n_best", own.get("n_best", 1)), width)
        count = count if n_best is None else n_best
        if alpha != "average" and not is_number(alpha, 0, MOST_PENALTY):
            raise ValueError(
                f'length_penalty must be 0 to {MOST_PENALTY} or "average", got {alpha!r}'
            )
        if check_count("n_best", count) > width:
            raise ValueError(f"n_best={count} is more than the width {width}: pass width={count}")
        return Beam(width, alpha, count, bool(own.get("early_stopping")))

    def answer(self, texts: Iterable[str], plan: Plan) -> Iterator[list[Hypothesis]]:
        """The hypotheses of each source, the best first, in the order of the sources."""
        if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
            kind = "text " if isinstance(texts, str) else ""
            raise ValueError(f"sources must be a list of texts, got the {kind}{texts!r:.80}")
        texts, count, error = iter(texts), 0, None
        while error is None:
            sources: list[Source] = []
            try:
                for text in itertools.islice(texts, CHUNK):
                    sources.append(self._encode(text, plan.unknown))
            except BadSource as caught:  # from `texts`
                error = caught
            except ValueError as caught:
                error = BadSource(count + len(sources) + 1, str(caught))
            if not sources:
                break
            yield from self._answer(sources, plan)
            count += len(sources)
        if error is not None:
            raise error

    def _encode(self, text: str, unknown: str) -> Source:
        if not isinstance(text, str):
            raise ValueError(f"expected a text, got {text!r:.80}")
        tags = copies = None
        if isinstance(self.source, Tagged):
            tags = self.source.encode_tags(text, unknown)
        symbols, copying = self.source.tokens(text), self.model.decoder.pointer
        # What a pointer has never seen it can still copy.
        encoded = self.source.encode(text, "token" if copying else unknown)
        if copying:
            copies = self.target.encode_copies(symbols)
        return Source(symbols, encoded, tags, copies)

    def _answer(self, sources: list[Source], plan: Plan) -> list[list[Hypothesis]]:
        """Sources of like length are decoded together."""
        answers = [[Hypothesis("", [], 0.0)] for _ in sources]  # where there is no step to read
        order = sorted(range(len(sources)), key=lambda number: -len(sources[number].encoded))
        order = [number for number in order if len(sources[number].encoded)]
        while order:
            room = MOST_STEPS // len(sources[order[0]].encoded)
            size = max(1, min(MOST_ROWS, room) // plan.width)
            group = [sources[number] for number in order[:size]]
            limits = [self._limit(len(source.encoded), plan.max_length) for source in group]
            found = plan.search(self.model, *self._start(group), np.array(limits))
            for number, source, best in zip(order, group, found):
                said = [(self.target.decode(one, source.symbols), score) for one, score in best]
                answers[number] = [Hypothesis(self.target.join(one), one, s) for one, s in said]
            order = order[size:]
        return answers

    def _limit(self, length: int, most: int | str | None) -> int:
        """Steps after which the answer to a source of `length` steps is cut off."""
        own = length if isinstance(self.source, Numbers) else length - 1  # without the end
        if isinstance(self.target, Numbers):
            return self.target_length or own
        if most is None:
            return min(2 * (self.longest_target + length), LONGEST_ANSWER)
        if isinstance(most, str):
            factor, more = RELATIVE.fullmatch(most).groups()
            most = int(float(factor) * own) + int(more or 0)
        return min(max(1, most), LONGEST_ANSWER)

    def _start(self, sources: list[Source]) -> tuple[State, Memory]:
        """State and memory before the first step; the longest source comes first."""
        lengths = np.array([len(source.encoded) for source in sources])
        real = np.arange(lengths[0]) < lengths[:, None]  # (batch, time)

        def pad(rows: list) -> np.ndarray:
            flat = np.concatenate(rows)
            padded = np.zeros((*real.shape, *flat.shape[1:]), flat.dtype)
            padded[real] = flat
            return padded

        source = np.ascontiguousarray(pad([one.encoded for one in sources]).swapaxes(0, 1))
        tags = None if sources[0].tags is None else np.stack([one.tags for one in sources])
        copies = None if sources[0].copies is None else pad([one.copies for one in sources])
        return self.model.start(source, lengths, tags, copies)


def check_lengths(settings: dict) -> None:
    """Raise a ValueError unless the lengths that a model was trained on are lengths."""
    lengths = {"longest_source": 10**9, "longest_target": 10**9}
    if settings["target_length"] is not None:
        lengths["target_length"] = LONGEST_ANSWER
    for name, most in lengths.items():
        if type(settings[name]) is not int or not 0 <= settings[name] <= most:
            raise ValueError(f"{name} must be a length of at most {most}, got {settings[name]!r}")


def load(path: str | Path) -> Runtime:
    """A trained model from a run directory, or from its `model.npz`.

    Raises:
        ValueError: the file is missing or damaged, or has a part that is not known here.
    """
    path = Path(path).expanduser()
    path = path / "model.npz" if path.is_dir() else path
    header, arrays = read_artefact(path)
    try:
        return Runtime(header, arrays)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


# --------------------------------------------------------------------------- the command line


def main(arguments: list[str] | None = None) -> int:
    """Sources from standard input, one a line; answers to standard output, one a line."""
    parser = argparse.ArgumentParser(
        description="Answer sources with a trained model, one a line, from standard input."
    )
    add = parser.add_argument
    add("run", metavar="RUN", help="a run directory, or a model.npz")
    add("--width", type=int, metavar="N", help="of a beam")
    add("--length-penalty", metavar="ALPHA", help="of a beam, or average")
    add("--n-best", type=int, metavar="N", help="so many answers a source, separated by tabs")
    add("--scores", action="store_true", help="after each answer its log-probability")
    add(
        "--unknown",
        choices=("error", "token", "skip"),
        help="a symbol never seen in training; skip: its line stays empty, and that is no error",
    )
    add("--max-length", metavar="N", help="of an answer, in tokens, or 1.5x the source's")
    options = parser.parse_args(arguments)
    try:
        answer_standard_input(options)
    except BrokenPipeError:  # the reader (head, less) has gone: nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, MemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def answer_standard_input(options: argparse.Namespace) -> None:
    """What `main` does with its options; answers come as soon as their sources do."""
    alpha, most, runtime = options.length_penalty, options.max_length, load(options.run)
    if alpha is not None and re.fullmatch(r"\d+\.?\d*|\.\d+", alpha):
        alpha = float(alpha)
    if most is not None and most.isdecimal():
        most = int(most)
    skip = options.unknown == "skip"
    unknown = "error" if skip else options.unknown
    plan, done = runtime.plan(options.width, alpha, options.n_best, unknown, most), 0
    problems = []
    for lines in arriving(sys.stdin.buffer):
        while lines:
            try:
                for best in runtime.answer(decode(lines), plan):
                    parts = [(one.text, f"{one.score:.4f}")[: 1 + options.scores] for one in best]
                    said = "\t".join(itertools.chain(*parts))
                    said = said.replace("\n", "\\n").replace("\r", "\\r")
                    sys.stdout.buffer.write(said.encode() + b"\n")
                number = len(lines)
            except BadSource as error:  # those before it are answered
                number = error.number
                problems.append(f"line {done + number}: {error.reason}")
                sys.stdout.buffer.write(b"\n")
            done += number
            lines = lines[number:]
        sys.stdout.buffer.flush()
    report_unanswered(problems, done, skip)


def report_unanswered(problems: list[str], count: int, skipped: bool) -> None:
    """Name the lines that have no answer; a ValueError unless they were to be passed over."""
    if len(problems) == 1 and not skipped:
        raise ValueError(problems[0])
    for problem in problems[:MAX_NAMED]:
        print(problem, file=sys.stderr)
    if problems:
        summary = f"{len(problems):,} of {count:,} lines have no answer"
        if not skipped:
            raise ValueError(f"{summary} (--unknown skip: no error; --unknown token: read them)")
        print(f"note: {summary}", file=sys.stderr)


def arriving(file: BufferedReader) -> Iterator[list[bytes]]:
    """Lines of `file`, without their ends, as many as there are to be read at a time."""
    begun: list[bytes] = []  # of a line whose end has not come
    first = True
    while block := file.read1(65_536):
        block = block.removeprefix(b"\xef\xbb\xbf") if first else block  # a byte-order mark
        first = False
        line, *more = block.split(b"\n")
        begun.append(line)
        if more:
            *lines, rest = b"".join(begun), *more
            begun = [rest]
            yield lines
    if rest := b"".join(begun):
        yield [rest]


def decode(lines: list[bytes]) -> Iterator[str]:
    """Text of lines of UTF-8."""
    for number, line in enumerate(lines, 1):
        try:
            yield line.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            raise BadSource(number, f"not UTF-8 ({error.reason})") from None


if __name__ == "__main__":
    sys.exit(main())
