"""Fingerprint of a task's data, by which a run can see that they are still the same."""

import hashlib
import json

from seq2seq.data.task import Task, representative


def fingerprint(task: Task) -> str:
    """A checksum of what `task` trains on, by which a run can see that it is still the same.

    Of an endless stream, the first examples stand for all.
    """
    digest = hashlib.blake2b(digest_size=16)
    for side in (task.source, task.target):
        digest.update(json.dumps(_without_form(side.to_config())).encode())
    for example in representative(task.examples("train")):
        digest.update(repr(tuple(example)).encode())
    return digest.hexdigest()


def _without_form(config: dict) -> dict:
    """A side without its normal form, in which older runs, which lack it, can be compared."""
    remaining = {key: value for key, value in config.items() if key != "normalization"}
    if isinstance(remaining.get("symbols"), dict):
        remaining["symbols"] = _without_form(remaining["symbols"])
    return remaining
