"""Files: every encoding that is promised, and errors with line numbers."""

import csv
import gzip
import os
import threading

import pytest

from seq2seq.data import files
from seq2seq.data.files import PairReader, read_lines


def rows(path, **arguments):
    return [tuple(row) for _, *row in PairReader(**arguments).read(str(path))]


@pytest.mark.parametrize(
    "content",
    [
        "a\tä\nb\tβ\n".encode(),
        "a\tä\nb\tβ".encode(),
        "a\tä\r\nb\tβ\r\n".encode(),
        "\ufeffa\tä\nb\tβ\n".encode(),
    ],
    ids=["plain", "no-last-line-end", "crlf", "byte-order-mark"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_reads_what_is_promised(tmp_path, content, packed):
    path = tmp_path / ("pairs.tsv.gz" if packed else "pairs.tsv")
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    assert rows(path) == [("a", "ä"), ("b", "β")]


def test_odd_separators_inside_a_line_do_not_split_it(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\u2028b\tc\x0bd\u0085\n", "utf-8")
    assert rows(path) == [("a\u2028b", "c\x0bd\u0085")]


def test_parallel_files(tmp_path):
    (tmp_path / "s").write_text("a\nb\n")
    (tmp_path / "t").write_text("1\n2\n")
    paths = [str(tmp_path / "s"), str(tmp_path / "t")]
    assert [tuple(r) for _, *r in PairReader().read(paths)] == [("a", "1"), ("b", "2")]
    (tmp_path / "t").write_text("1\n")
    with pytest.raises(ValueError, match="t ends before line 2 of"):
        list(PairReader().read(paths))
    (tmp_path / "t").write_text("1\n2\n3\n")
    with pytest.raises(ValueError, match="s ends before line 3 of"):
        list(PairReader().read(paths))
    with pytest.raises(ValueError, match="one file or two parallel files"):
        list(PairReader().read([paths[0]]))
    with pytest.raises(ValueError, match=r"parallel files have no columns, got columns=\(1, 2\)"):
        list(PairReader(columns=(1, 2)).read(paths))


def test_json_lines(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"source": "a\\tb", "target": "1"}\n')
    assert rows(path) == [("a\tb", "1")]


@pytest.mark.parametrize(
    "line, reason",
    [
        ("{", "not JSON"),
        ("[1]", "expected {"),
        ('{"source": "a"}', "no text under the key 'target'"),
        ('{"source": 1, "target": "a"}', "no text under the key 'source'"),
    ],
)
def test_bad_json_rows(tmp_path, line, reason):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"source": "a", "target": "1"}\n' + line + "\n")
    with pytest.raises(ValueError, match=f"line 2: {reason}"):
        rows(path)


def test_rows_without_two_columns(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\t1\nb\n\nc\t3\t9\nd\t4\n")
    with pytest.raises(ValueError, match="line 2: expected source<TAB>target, found 1"):
        rows(path)
    reader = PairReader(on_bad_row="skip")
    assert [row for _, *row in reader.read(str(path))] == [["a", "1"], ["d", "4"]]
    assert (reader.skipped, reader.blank) == (2, 1)


def test_columns_are_chosen(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("1\ta\tx\n2\tb\tx\n")
    assert rows(path, columns=(2, 1)) == [("a", "1"), ("b", "2")]
    with pytest.raises(ValueError, match="line 1: .*3 column"):
        rows(path)
    with pytest.raises(ValueError, match="column 4 was requested, found 3"):
        rows(path, columns=(1, 4))


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_columns_are_named_by_the_first_line(tmp_path, start):
    path = tmp_path / "pairs.tsv"
    path.write_text(start + "form\tlemma\ttags\nsang\tsing\tV;PST\nb\n", "utf-8")
    reader = PairReader(columns=["lemma", "form"], on_bad_row="skip")
    assert list(reader.read(str(path))) == [(2, "sing", "sang")]
    assert reader.skipped == 1
    assert rows(path, columns=[1, 2], on_bad_row="skip")[0] == ("form", "lemma")
    with pytest.raises(ValueError, match="no column 'root' in its .*: form, lemma, tags$"):
        rows(path, columns=["form", "root"], on_bad_row="skip")


@pytest.mark.parametrize(
    "name, content, columns",
    [
        ("a.tsv", "V;PST\tsang\tsing\n", [3, 2, 1]),
        ("a.tsv", "lemma\tform\ttags\nsing\tsang\tV;PST\n", ["lemma", "form", "tags"]),
        (
            "a.jsonl",
            '{"tags": "V;PST", "form": "sang", "lemma": "sing"}\n',
            ["lemma", "form", "tags"],
        ),
    ],
)
def test_a_third_column_is_tags_behind_the_source(tmp_path, name, content, columns):
    (tmp_path / name).write_text(content)
    assert rows(tmp_path / name, columns=columns) == [("sing\tV;PST", "sang")]
    assert rows(tmp_path / name, columns=columns[:2]) == [("sing", "sang")]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is empty"),
        (b"a\tb\n\xff\xfe\tc\n", "line 2: not UTF-8 .byte 0xff at column 1"),
        (gzip.compress(b"a\tb\n" * 1000, mtime=0)[:-9], "damaged gzip"),
        (gzip.compress(b"a\tb\n" * 1000, mtime=0)[:20] + b"\xff" * 20, "damaged gzip"),
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        list(read_lines(path))


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_without_end_is_refused_before_it_is_read(tmp_path, monkeypatch, packed):
    monkeypatch.setattr(files, "LONGEST", 1000)
    path = tmp_path / "pairs.tsv"
    content = b"a\tb\n" + b"x" * 999 + b"\n" + b"x" * 1001 + b"\n"
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    lines = read_lines(path)
    assert [len(next(lines)[1]) for _ in range(2)] == [3, 999]
    with pytest.raises(ValueError, match="pairs.tsv, line 3: it is longer than 1,000 bytes"):
        next(lines)


def test_a_pipe_is_read_whole(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = "".join(f"s{n}\tt{n}\n" for n in range(20_000))
    writer = threading.Thread(target=path.write_text, args=(content,))
    writer.start()
    assert sum(1 for _ in read_lines(path)) == 20_000
    writer.join()


def test_missing_files_and_directories(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        list(read_lines(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="is a directory"):
        list(read_lines(tmp_path))


def test_blank_lines_are_layout_and_counted(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("\nabc\tcba\n\nab\tba\n   \n\t\n \t\nxyz\tzyx\n\n")
    reader = PairReader()
    assert list(reader.read(str(path))) == [
        (2, "abc", "cba"),
        (4, "ab", "ba"),
        (6, "", ""),
        (7, " ", ""),
        (8, "xyz", "zyx"),
    ]
    assert reader.notes == ("4 blank lines were skipped",)
    path.write_text("\nlemma\tform\n\na\tb\n")
    assert rows(path, columns=["lemma", "form"]) == [("a", "b")]
    assert rows(path, columns=[2, 1]) == [("form", "lemma"), ("b", "a")]


def test_parallel_files_keep_their_empty_lines(tmp_path):
    (tmp_path / "s").write_text("a\n\nb\n")
    (tmp_path / "t").write_text("1\n\n\n")
    paths = [str(tmp_path / "s"), str(tmp_path / "t")]
    assert [tuple(r) for _, *r in PairReader().read(paths)] == [("a", "1"), ("", ""), ("b", "")]
    with pytest.raises(ValueError, match="two parallel files have no comment, got comment=#"):
        list(PairReader(comment="#").read(paths))


COMMENTED = "# made by hand\nlemma\tform\nwalk\twalked\n# irregular\n#go\twent\n a#\tb\n"


def test_comments_are_skipped_where_a_key_enables_it(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(COMMENTED)
    reader = PairReader(columns=["form", "lemma"], comment="#")
    assert list(reader.read(str(path))) == [(3, "walked", "walk"), (6, "b", " a#")]
    assert reader.notes == ("3 comment lines were skipped",)
    path.write_text(COMMENTED.partition("\n")[2])
    with pytest.raises(ValueError, match="line 3: expected source<TAB>target"):
        rows(path)
    assert rows(path, on_bad_row="skip")[2:] == [("#go", "went"), (" a#", "b")]


@pytest.mark.parametrize("comment", ["", " ", 5, ["#"]])
def test_impossible_comments(comment):
    with pytest.raises(ValueError, match="task.comment must be what comment lines begin with"):
        PairReader(comment=comment)


def test_the_first_skipped_row_is_named(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\nbad\nc\td\nworse\n")
    reader = PairReader(on_bad_row="skip")
    assert len(list(reader.read(str(path)))) == 2
    (note,) = reader.notes
    assert note.startswith(f"2 bad rows were skipped; the first: {path}, line 2: expected source")


STANDING = [
    ('"second', "SECOND"),
    ('third "word"', "THIRD"),
    ('fo""urth', "FOURTH"),
    ('"fifth"', '"FIFTH"'),
    *((word, word[::-1]) for word in ("null", "nan", "NA", "None", "true", "1e5", "007", "0x1f")),
    ("aa\u00a0 b", "x a"),
    (" lead", "ya "),
    ("trail ", " za"),
    ("ax", ""),
    ("", "empty"),
    ("-ly", "l i"),
    ("--", "d \u00e6 \u0283"),
    ("a,b", "c,d"),
    ("#", "hash"),
]


def test_fields_stand_as_they_are(tmp_path):
    path = tmp_path / "donn\u00e9es.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in STANDING), "utf-8")
    assert rows(path) == STANDING


def write_csv(path, pairs, header=()):
    """Write `pairs` as another program would, and read them by its rules."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*header, *pairs])


@pytest.mark.parametrize("ending", ["csv", "CSV", "csv.gz"])
def test_comma_separated_values_are_read_by_their_rules(tmp_path, ending):
    pairs = [("hello", "olleh"), ("a, b", "b ,a"), ('say "hi"', "done"), (" a ", ""), ("t\tb", "-")]
    pairs += [("two\nlines", "three\n\nlines"), ("last", "tsal")]
    path = tmp_path / f"pairs.{ending}"
    for header in ([], [("source", "target")]):
        write_csv(path, pairs, header)
        if ending.endswith("gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
        assert rows(path) == pairs
        assert rows(path, columns=[2, 1])[len(header) :] == [pair[::-1] for pair in pairs]
    assert rows(path, columns=["target", "source"]) == [pair[::-1] for pair in pairs]
    with pytest.raises(ValueError, match="no column 'form' in its first line; .*: source, target$"):
        rows(path, columns=["source", "form"])


@pytest.mark.parametrize(
    "content, message",
    [
        ("a,b\nc\n", "line 2: expected source,target, found 1 column"),
        ("a,b\nc,d,e\n", r"line 2: expected source,target, found 3 column\(s\) \(task.columns"),
        ("a\tb\n", "line 1: expected source,target, found 1 .*it holds tabs: name the file .tsv"),
        ('a,b\n"c"x,d\n', "line 2: not comma-separated values: ',' expected after '\"'"),
        ('a,b\nc,"d\ne,f\ng,h\n', "line 2: a quoted field begins here and does not end"),
        ('a,b\nc,"d', "line 2: a quoted field begins here and does not end"),
        ('"' + "a\n" * 70_000 + '",b\n', "line 1: a quoted field begins here and does not end"),
    ],
)
def test_bad_comma_separated_values_are_named(tmp_path, content, message):
    path = tmp_path / "pairs.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        rows(path)
    if "does not end" in message:  # else the lines after it would be skipped, too
        with pytest.raises(ValueError, match=message):
            rows(path, on_bad_row="skip")


@pytest.mark.parametrize("columns", [None, [1, 2], ["source", "target"]])
def test_commas_without_a_tab_are_named_as_such(tmp_path, columns):
    path = tmp_path / "pairs.tsv"
    path.write_text("source,target\nhello,olleh\n")
    message = "it holds no tab, this looks like comma-separated values: name the file .csv"
    with pytest.raises(ValueError, match=message):
        rows(path, columns=columns)


def test_a_packed_file_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGE", 2**16)
    with gzip.open(tmp_path / "bomb.tsv.gz", "wt") as file:
        file.writelines("a\tb\n" for _ in range(2**17))
    with pytest.raises(
        ValueError, match=r"bomb\.tsv\.gz, line \d+: it unpacks to more than 100 times"
    ):
        list(read_lines(tmp_path / "bomb.tsv.gz"))
    rows = [f"{number * 7919 % 100_003}\t{number}" for number in range(2**15)]
    with gzip.open(tmp_path / "real.tsv.gz", "wt") as file:
        file.writelines(f"{row}\n" for row in rows)
    assert [line for _, line in read_lines(tmp_path / "real.tsv.gz")] == rows
