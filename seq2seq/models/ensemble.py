"""Ensembles: several models that say one target together."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from seq2seq.layers.backend import CallCounts
from seq2seq.layers.lstm import Tensor
from seq2seq.models.decoder import StepOutput
from seq2seq.models.decoding_mixin import Searcher
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.validation import check_choice

MEANS = ("probabilities", "log_probabilities")


class Ensemble(Searcher):
    """Models that see the same source and say each token by the mean of what they think of it.

    It starts, steps, decodes and scores as one model does; its state is a tuple of theirs.

    Args:
        models: of one vocabulary; cells, sizes and attentions may differ.
        mean: of what: `"probabilities"`, so that a token may be sure for one model alone, or
            `"log_probabilities"`, so that each can rule a token out.

    Raises:
        ValueError: no models, or models that do not say the same things.
    """

    def __init__(self, models: Sequence[Seq2Seq], mean: str = "probabilities"):
        if not models:
            raise ValueError("an ensemble needs at least one model")
        first = models[0]
        for model in models:
            if model.features is not None:
                raise ValueError("models of real values have no probabilities to take a mean of")
            if _says(model) != _says(first):
                raise ValueError(
                    "the models of an ensemble must say the same symbols in the same way: "
                    f"{_describe(model)} beside {_describe(first)}"
                )
        self.models, self.mean = list(models), check_choice("mean", mean, MEANS)
        self.start_id, self.end_id = first.start_id, first.end_id
        self.features, self.copies_symbols = None, first.copies_symbols
        self.has_weights = all(model.has_weights for model in models)
        self.calls = CallCounts()

    def models_searched(self) -> list[Seq2Seq]:
        """See `Searcher`."""
        return self.models

    @property
    def variables(self) -> list:
        """Of all models."""
        return [variable for model in self.models for variable in model.variables]

    def start(self, inputs: dict[str, Tensor]) -> tuple[tuple, tuple]:
        """The first state and the memory of each model."""
        states, memories = zip(*(model.start(inputs) for model in self.models), strict=True)
        return states, memories

    def step(self, tokens: Tensor, state: tuple, memory: tuple) -> StepOutput:
        """One step of all; `logits` are log-probabilities, attention is the mean of theirs."""
        parts = zip(self.models, state, memory, strict=True)
        outputs = [model.step(tokens, *arguments) for model, *arguments in parts]
        attention = None
        if self.has_weights:
            attention = sum(output.attention for output in outputs) / len(outputs)
        logits = self._join([ops.log_softmax(output.logits) for output in outputs])
        return StepOutput(logits, tuple(output.state for output in outputs), attention)

    def log_probabilities(self, inputs: dict[str, Tensor]) -> Tensor:
        """Of every symbol at every target step, (batch, target time, symbols)."""
        joined = self._join([model.log_probabilities(inputs) for model in self.models])
        return ops.log_softmax(joined)

    def _join(self, log_probabilities: list[Any]) -> Tensor:
        stacked = ops.stack(log_probabilities)
        if self.mean == "log_probabilities":
            return ops.mean(stacked, axis=0)
        return ops.logsumexp(stacked, axis=0) - ops.log(float(len(self.models)))


def _says(model: Seq2Seq) -> tuple:
    return (model.decoder.vocabulary_size, model.copies_symbols, model.start_id, model.end_id)


def _describe(model: Seq2Seq) -> str:
    copies = " and copies" if model.copies_symbols else ""
    return f"one says {model.decoder.vocabulary_size} symbols{copies}"
