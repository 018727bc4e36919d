"""Data: vocabularies, tasks, batches. Needs NumPy at most."""

from seq2seq.data.batching import Batch, Batches, make_batch
from seq2seq.data.chomsky import Chomsky
from seq2seq.data.dates import Dates
from seq2seq.data.generated import (
    Addition,
    Copy,
    Duplicate,
    OddsFirst,
    Reverse,
    Sort,
    Subtraction,
)
from seq2seq.data.generated_task import GeneratedTask, LengthTask
from seq2seq.data.inflection import Inflection
from seq2seq.data.pairs import Pairs
from seq2seq.data.pronunciation import Pronunciation
from seq2seq.data.published_addition import FlaxAddition, KerasAddition
from seq2seq.data.real_valued import RunningMean, Sinusoids
from seq2seq.data.scan import Scan
from seq2seq.data.task import Example, Stream, Task
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.vocabulary import Vocabulary

__all__ = [
    "Addition",
    "Batch",
    "Batches",
    "Chomsky",
    "Copy",
    "Dates",
    "Duplicate",
    "Example",
    "FlaxAddition",
    "GeneratedTask",
    "Inflection",
    "KerasAddition",
    "LengthTask",
    "Numbers",
    "OddsFirst",
    "Pairs",
    "Pronunciation",
    "Reverse",
    "RunningMean",
    "Scan",
    "Sinusoids",
    "Sort",
    "Stream",
    "Subtraction",
    "Tagged",
    "Task",
    "Vocabulary",
    "make_batch",
]
