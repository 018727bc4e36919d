"""Dates as people write them, to ISO 8601."""

import datetime
import random
import string
from dataclasses import dataclass

from seq2seq.data.generated_task import GeneratedTask, either
from seq2seq.runtime.validation import check_range
from seq2seq.runtime.vocabulary import Vocabulary

MONTHS = (
    "January February March April May June July August September October November December"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

# Slashes put the month first and dots the day first, so that no format is ambiguous.
FORMATS = (
    "{d} {month} {y}",
    "{d} {mon} {y}",
    "{month} {d}, {y}",
    "{mon} {d}, {y}",
    "{mon} {d} {y}",
    "{d}{th} {month} {y}",
    "{d}{th} of {month} {y}",
    "the {d}{th} of {month}, {y}",
    "{month} {d}{th}, {y}",
    "{weekday}, {d} {month} {y}",
    "{weekday}, {month} {d}, {y}",
    "{day} {d} {mon} {y}",
    "{day}, {mon} {d}, {y}",
    "{d:02}-{mon}-{y}",
    "{d}-{mon}-{y}",
    "{m}/{d}/{y}",
    "{m:02}/{d:02}/{y}",
    "{d}.{m}.{y}",
    "{d:02}.{m:02}.{y}",
    "{y}/{m:02}/{d:02}",
    "{y}.{m:02}.{d:02}",
    "{y} {month} {d}",
    "{y}{m:02}{d:02}",
    "{month} {y}, {d}",
)


def ordinal(day: int) -> str:
    """The ending of an ordinal number.

    >>> [ordinal(day) for day in (1, 2, 3, 4, 11, 22)]
    ['st', 'nd', 'rd', 'th', 'th', 'nd']
    """
    if 10 <= day % 100 <= 20:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def write_date(date: datetime.date, form: str) -> str:
    """`date` in one of `FORMATS`.

    >>> write_date(datetime.date(1979, 5, 3), "the {d}{th} of {month}, {y}")
    'the 3rd of May, 1979'
    """
    month, weekday = MONTHS[date.month - 1], DAYS[date.weekday()]
    return form.format(
        d=date.day,
        m=date.month,
        y=date.year,
        th=ordinal(date.day),
        month=month,
        mon=month[:3],
        weekday=weekday,
        day=weekday[:3],
    )


@dataclass(kw_only=True, eq=False)
class Dates(GeneratedTask):
    """A date in one of 24 formats becomes ISO 8601: `the 3rd of May, 1979` -> `1979-05-03`.

    A day of the test occurs in training in no format at all.

    Args:
        first_year, last_year: years of training and validation, 1000 to 9999.
        test_first_year, test_last_year: years of the test; None: as in training.
        training_examples, validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    first_year: int = 1900
    last_year: int = 2099
    test_first_year: int | None = None
    test_last_year: int | None = None

    def __post_init__(self):
        super().__post_init__()
        check_range("first_year", self.first_year, "last_year", self.last_year, 1000)
        low, high = self.sizes("test")
        check_range("test_first_year", low, "test_last_year", high, 1000)
        if max(self.last_year, high) > 9999:
            raise ValueError(f"years must be at most 9999, got {max(self.last_year, high)}")
        written = "".join([*MONTHS, *DAYS, *FORMATS, string.digits, "thstndrd"])
        self.source = Vocabulary(sorted(set(written) - set("{:}")))
        self.target = Vocabulary(string.digits + "-")

    def sizes(self, split: str) -> tuple[int, int]:
        """First and last year."""
        return either(
            split, (self.first_year, self.last_year), (self.test_first_year, self.test_last_year)
        )

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """A day of the years `low` to `high` in a random format."""
        first, last = datetime.date(low, 1, 1).toordinal(), datetime.date(high, 12, 31).toordinal()
        date = datetime.date.fromordinal(rng.randint(first, last))
        return write_date(date, rng.choice(FORMATS)), date.isoformat()

    def key(self, source: str, target: str) -> str:
        """The day itself, however it is written."""
        return target
