"""Ensembles: the mean prediction of several models."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from seq2seq.layers.backend import CallCounts
from seq2seq.layers.lstm import Tensor
from seq2seq.models.decoder import StepOutput
from seq2seq.models.decoding_mixin import DecodingMixin
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.validation import check_choice

MEANS = ("probabilities", "log_probabilities")


class Ensemble(DecodingMixin):
    """Several models of the same vocabulary, whose predictions are averaged at each step.

    It starts, steps, decodes and scores as a single model; its state is a tuple of their states.

    Args:
        models: of one vocabulary; cells, sizes and attentions may differ.
        mean: `"probabilities"`, the arithmetic mean, in which one confident model is enough for a
            token; or `"log_probabilities"`, the geometric mean, in which each model can exclude it.

    Raises:
        ValueError: no models, or models with different targets.
    """

    def __init__(self, models: Sequence[Seq2Seq], mean: str = "probabilities"):
        if not models:
            raise ValueError("an ensemble needs at least one model")
        first = models[0]
        for model in models:
            if model.features is not None:
                raise ValueError("models of real values have no probabilities to average")
            if _target(model) != _target(first):
                raise ValueError(
                    "the models of an ensemble must have the same target symbols and readout: "
                    f"{_describe(model)} beside {_describe(first)}"
                )
        self.models, self.mean = list(models), check_choice("mean", mean, MEANS)
        self.start_id, self.end_id = first.start_id, first.end_id
        self.features, self.copies_symbols = None, first.copies_symbols
        self.has_weights = all(model.has_weights for model in models)
        self.calls = CallCounts()

    def models_searched(self) -> list[Seq2Seq]:
        """Models of this search; see `DecodingMixin`."""
        return self.models

    @property
    def variables(self) -> list:
        """Variables of all models."""
        return [variable for model in self.models for variable in model.variables]

    def start(self, inputs: dict[str, Tensor]) -> tuple[tuple, tuple]:
        """Initial state and memory of each model."""
        states, memories = zip(*(model.start(inputs) for model in self.models), strict=True)
        return states, memories

    def step(self, tokens: Tensor, state: tuple, memory: tuple) -> StepOutput:
        """Compute one step of all models.

        `logits` are log-probabilities of the mean; `attention` is the mean of their weights.
        """
        parts = zip(self.models, state, memory, strict=True)
        outputs = [model.step(tokens, *arguments) for model, *arguments in parts]
        attention = None
        if self.has_weights:
            attention = sum(output.attention for output in outputs) / len(outputs)
        logits = self._average([ops.log_softmax(output.logits) for output in outputs])
        return StepOutput(logits, tuple(output.state for output in outputs), attention)

    def log_probabilities(self, inputs: dict[str, Tensor]) -> Tensor:
        """Log-probabilities of every symbol at every target step, (batch, target time, symbols)."""
        return ops.log_softmax(
            self._average([model.log_probabilities(inputs) for model in self.models])
        )

    def _average(self, log_probabilities: list[Any]) -> Tensor:
        stacked = ops.stack(log_probabilities)
        if self.mean == "log_probabilities":
            return ops.mean(stacked, axis=0)
        return ops.logsumexp(stacked, axis=0) - ops.log(float(len(self.models)))


def _target(model: Seq2Seq) -> tuple:
    return (model.decoder.vocabulary_size, model.copies_symbols, model.start_id, model.end_id)


def _describe(model: Seq2Seq) -> str:
    pointer = " and a pointer" if model.copies_symbols else ""
    return f"one has {model.decoder.vocabulary_size} symbols{pointer}"
