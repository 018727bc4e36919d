"""Attention: a context vector from the source for each step of the decoder.

Every attention turns a query (the decoder's hidden state) into weights over the encoder's values,
and the weights into a context: the weighted mean of the values. They differ in the score, and in
where the decoder uses them:

- *before* its step (Bahdanau et al. 2015): the query is the previous hidden state, and the context
  is an input of the step beside the token;
- after its step (Luong et al. 2015): the query is the new hidden state; with *input feeding* the
  next step reads the attentional vector, made of hidden state and context.
"""

import keras
from keras import ops

from seq2seq.layers.base import Layer
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.projection import projection
from seq2seq.runtime.validation import check_count, check_flag


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over time, (batch, queries, time) in float32: exactly 0 where `mask` is False.

    Args:
        scores: (batch, queries, time).
        mask: (batch, 1 or queries, time).
    """
    scores = ops.cast(scores, "float32")
    scores = ops.where(mask, scores, -1e9)
    return ops.where(mask, ops.softmax(scores, axis=-1), 0.0)


class Attention(Layer):
    """Base class of attentions. A subclass implements `score`, and `make_weights` and `keys`.

    Args:
        before: whether the decoder attends before its step, with its previous hidden state.
        input_feeding: whether the next step reads the attentional vector of this step; for
            attention after the step only.

    Raises:
        ValueError: both at once: a context attended before the step is an input of that step.
    """

    coverage = False
    has_weights = True  # whether `call` returns attention weights
    replaces_inputs = False  # whether a decoder reads the context only, and no tokens

    def __init__(
        self,
        before: bool = False,
        input_feeding: bool = False,
        name: str = "attention",
        dtype: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(
            name=name,
            dtype=dtype,
            trainable=trainable,
            autocast=False,  # weights stay float32
        )
        self.before = check_flag("attention.before", before)
        self.input_feeding = check_flag("attention.input_feeding", input_feeding)
        if before and input_feeding:
            raise ValueError(
                "attention.before=true and attention.input_feeding=true exclude each other: a "
                "context attended before a step is an input of that step already"
            )

    def connect(self, query_size: int, memory_size: int) -> None:
        """Set the sizes of both sides and create the weights, before the first call."""
        if self.built:
            raise ValueError(
                f"this {type(self).__name__} belongs to another decoder already; make a new one"
            )
        self.query_size, self.memory_size = query_size, memory_size
        with keras.name_scope(self.name):
            self.make_weights()
        self.built = True

    def make_weights(self) -> None:
        """Create the weights; `query_size` and `memory_size` are set. None by default."""

    @property
    def is_recurrent(self) -> bool:
        """Whether a step depends on the attention of the steps before it."""
        return self.before or self.input_feeding or self.coverage

    def keys(self, values: Tensor, state: tuple) -> Tensor:
        """Keys that queries are compared with, computed once per source. The values by default.

        Args:
            values: (batch, time, memory_size).
            state: final state of the encoder.
        """
        del state
        return values

    def score(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """Scores (batch, queries, time) of `query` (batch, queries, query_size)."""
        raise NotImplementedError

    def call(
        self,
        query: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
        coverage: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            query: (batch, queries, query_size).
            keys: from `keys`, (batch, time, size).
            values: (batch, time, memory_size).
            mask: (batch, time), True for real steps of the source.
            coverage: (batch, time), sum of the weights of all steps before; None without coverage.

        Returns:
            Contexts (batch, queries, memory_size), and weights (batch, queries, time) in float32
            (None of a `FixedContext`).
        """
        weights = self.weigh(query, self.score(query, keys, coverage), mask)
        return ops.matmul(ops.cast(weights, values.dtype), values), weights

    def weigh(self, query: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
        """Weights (batch, queries, time) from scores."""
        del query
        return masked_softmax(scores, mask[:, None])

    def project(self, size: int, input_size: int, name: str, use_bias: bool = False):
        """Build a projection, for `make_weights`."""
        return projection(size, input_size, name, self.dtype_policy, use_bias=use_bias)

    def get_build_config(self) -> None:
        """None: `connect`, not `build`, creates the weights."""
        return None

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        config = super().get_config()
        return {**config, "before": self.before, "input_feeding": self.input_feeding}


@keras.saving.register_keras_serializable("seq2seq")
class Dot(Attention):
    """score = q . k (Luong et al. 2015, section 3.1, dot). Both sides must have the same size."""

    def make_weights(self) -> None:
        """Create no weights; check that the sizes are equal."""
        if self.query_size != self.memory_size:
            raise ValueError(
                f"the decoder's query has {self.query_size} units, the encoder's values have "
                f"{self.memory_size}: attention {type(self).__name__} needs equal sizes; use "
                "attention=general, which accepts any two"
            )

    def score(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """Products of every query with every key."""
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))


@keras.saving.register_keras_serializable("seq2seq")
class Scaled(Dot):
    """score = q . k / sqrt(size), which keeps the softmax soft (Vaswani et al. 2017, 3.2.1)."""

    def score(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """Scaled products."""
        return super().score(query * self.query_size**-0.5, keys, coverage)


@keras.saving.register_keras_serializable("seq2seq")
class General(Dot):
    """score = q . W k (Luong et al. 2015, section 3.1, general). Sides of any sizes."""

    def make_weights(self) -> None:
        """Create W, (memory_size, query_size)."""
        self.key = self.project(self.query_size, self.memory_size, "key")

    def keys(self, values: Tensor, state: tuple) -> Tensor:
        """W k, (batch, time, query_size)."""
        return self.key(values)


@keras.saving.register_keras_serializable("seq2seq")
class Additive(Attention):
    """score = v . tanh(W q + U k + b) (Bahdanau et al. 2015, appendix A.1.2).

    Args:
        units: size of the hidden layer; None: the query's.
        before: see `Attention`; as in the paper by default.
        input_feeding: see `Attention`.
        coverage: whether the score depends on the sum of past weights, and a loss discourages
            attending to the same step again (See et al. 2017, section 2.3).
    """

    def __init__(
        self,
        units: int | None = None,
        before: bool = True,
        input_feeding: bool = False,
        coverage: bool = False,
        name: str = "attention",
        dtype: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(before, input_feeding, name, dtype, trainable)
        self.units = None if units is None else check_count("attention.units", units)
        self.coverage = check_flag("attention.coverage", coverage)

    def make_weights(self) -> None:
        """Create W, U with b, v, and w for coverage."""
        units = self.query_size if self.units is None else self.units
        self.query = self.project(units, self.query_size, "query")
        self.key = self.project(units, self.memory_size, "key", use_bias=True)
        self.energy = self.project(1, units, "energy")
        if self.coverage:
            self.coverage_features = self.project(units, 1, "coverage")

    def keys(self, values: Tensor, state: tuple) -> Tensor:
        """U k + b, (batch, time, units)."""
        return self.key(values)

    def score(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """Scores of one hidden layer over every pair of query and key."""
        pairs = self.query(query)[:, :, None] + keys[:, None]  # (batch, queries, time, units)
        if self.coverage:
            pairs = pairs + self.coverage_features(ops.expand_dims(coverage, -1))[:, None]
        return ops.squeeze(self.energy(ops.tanh(pairs)), -1)

    def coverage_loss(self, weights: Tensor, mask: Tensor | None) -> Tensor:
        """Coverage loss: the overlap of attention with past attention (See et al. 2017, eq. 12).

        Args:
            weights: (batch, target time, source time).
            mask: (batch, target time), True for the real steps, over which the mean is taken.
        """
        past_weights = ops.cumsum(weights, axis=1) - weights
        repeated = ops.sum(ops.minimum(weights, past_weights), axis=-1)  # (batch, target time)
        if mask is None:
            return ops.mean(repeated)
        is_real = ops.cast(mask, repeated.dtype)
        return ops.sum(repeated * is_real) / ops.sum(is_real)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return {**super().get_config(), "units": self.units, "coverage": self.coverage}


@keras.saving.register_keras_serializable("seq2seq")
class Concat(Additive):
    """score = v . tanh(W [q; k]) (Luong et al. 2015, section 3.1, concat).

    The same score as `Additive`, used after the step by default.
    """

    def __init__(
        self,
        units: int | None = None,
        before: bool = False,
        input_feeding: bool = False,
        coverage: bool = False,
        name: str = "attention",
        dtype: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(units, before, input_feeding, coverage, name, dtype, trainable)
