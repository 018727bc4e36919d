"""Dates: every format reads back as the day it was written from."""

import datetime
import re

import pytest

from seq2seq.data import Dates
from seq2seq.data.dates import FORMATS, MONTHS, write_date


def read(text):
    """The day that `text` names, found by other means than it was written with."""
    words = re.findall(r"[A-Za-z]+|\d+", text)
    months = [MONTHS.index(m) + 1 for w in words for m in MONTHS if w in (m, m[:3])]
    numbers = [w for w in words if w.isdigit()]
    if months:
        (year,) = [int(n) for n in numbers if len(n) == 4]
        (day,) = [int(n) for n in numbers if len(n) < 4]
        return datetime.date(year, months[0], day)
    if len(numbers) == 1:
        return datetime.datetime.strptime(text, "%Y%m%d").date()
    if len(numbers[0]) == 4:
        return datetime.date(*map(int, numbers))
    first, second, year = map(int, numbers)
    month, day = (first, second) if "/" in text else (second, first)
    return datetime.date(year, month, day)


@pytest.mark.parametrize("form", FORMATS)
def test_every_date_format_reads_back(form):
    for number in range(693_600, 800_000, 997):
        date = datetime.date.fromordinal(number)
        assert read(write_date(date, form)) == date


def test_no_two_days_are_written_alike():
    days = [datetime.date(1999, 1, 1) + datetime.timedelta(n) for n in range(730)]
    written = {}
    for day in days:
        for form in FORMATS:
            assert written.setdefault(write_date(day, form), day) == day


def test_years_are_chosen():
    task = Dates(
        first_year=2000,
        last_year=2001,
        test_first_year=2050,
        test_last_year=2050,
        validation_examples=10,
        test_examples=30,
    )
    assert {e.target[:4] for e in task.examples("test")} == {"2050"}
    stream = task.examples("train")
    assert {stream[n].target[:4] for n in range(100)} == {"2000", "2001"}


@pytest.mark.parametrize("arguments", [{"first_year": 2100}, {"last_year": 12000}])
def test_impossible_years_are_refused(arguments):
    with pytest.raises(ValueError, match="year"):
        Dates(**arguments)
