"""Fingerprint of the data of a task, which detects changes."""

import hashlib
import json

from seq2seq.data.task import Task, representative_examples


def fingerprint(task: Task) -> str:
    """Checksum of the training data of `task`; of an endless stream, of its first examples."""
    digest = hashlib.blake2b(digest_size=16)
    for side in (task.source, task.target):
        digest.update(json.dumps(_without_form(side.to_config())).encode())
    for example in representative_examples(task.examples("train")):
        digest.update(repr(tuple(example)).encode())
    return digest.hexdigest()


def _without_form(config: dict) -> dict:
    """Configuration of a side without its normal form, which older runs lack."""
    remaining = {key: value for key, value in config.items() if key != "normalization"}
    if isinstance(remaining.get("symbols"), dict):
        remaining["symbols"] = _without_form(remaining["symbols"])
    return remaining
