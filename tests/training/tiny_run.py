"""A run of a few steps on a tiny task."""

import keras

from seq2seq.config import build_model, build_optimizer, build_task, compose
from seq2seq.inference.decoding_options import Decoding
from seq2seq.runs.directory import RunDirectory
from seq2seq.training.arguments import Training
from seq2seq.training.trainer import Trainer

TINY = [
    "task=copy",
    "task.symbols=4",
    "task.max_length=4",
    "task.validation_examples=3",
    "task.test_examples=5",
    "model.encoder.units=8",
    "model.encoder.embedding_size=4",
]


def run(*overrides, training=None):
    config = compose([*TINY, *overrides])
    keras.utils.set_random_seed(config["seed"])
    task = build_task(config)
    return Trainer(
        task,
        build_model(config, task),
        build_optimizer(config),
        training or Training(steps=6, steps_per_epoch=2, batch_size=8),
        names=config["names"],
        decoding=Decoding(),
        seed=config["seed"],
    ).run(RunDirectory("run", "copy-lstm"))
