"""Encoder, decoder and model; see `seq2seq.models`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from seq2seq.runtime.attention import Attention, Memory, repeat_rows, softmax
from seq2seq.runtime.bridges import Bridge
from seq2seq.runtime.recurrent import MAX_FOLDED, Dense, Stack, Weights, reverse, sigmoid
from seq2seq.runtime.validation import check_choice, check_count
from seq2seq.runtime.vocabulary import END, START, UNKNOWN

READOUTS = ("dense", "tied", "pointer")
MIN_PROBABILITY = 1e-30  # of impossible symbols, so that the logarithm stays finite


class State(NamedTuple):
    """State of the decoder between two steps.

    Attributes:
        layers: state of each layer, a tuple of (rows, units).
        attentional: (rows, units), attentional vector; None without input feeding.
        coverage: (rows, time), sum of all attention weights; None without coverage.
    """

    layers: tuple
    attentional: np.ndarray | None = None
    coverage: np.ndarray | None = None


def take(structure, rows: np.ndarray):
    """Take rows of every array in a structure of tuples."""
    if isinstance(structure, tuple):
        parts = [take(part, rows) for part in structure]
        is_named = isinstance(structure, (State, Memory))
        return type(structure)(*parts) if is_named else tuple(parts)
    return None if structure is None else structure[rows]


class Encoder:
    """Encoder; see `seq2seq.models.encoder`."""

    def __init__(self, weights: Weights, config: dict):
        self.backwards, weights = config["backwards"], weights.subpath(config["name"])
        self.embeddings, inputs = read_embeddings(weights, config)
        self.stack = Stack(weights, config, inputs, self.embeddings, config["bidirectional"])

    def __call__(self, source: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, tuple]:
        """Compute outputs (batch, time, size) and final states; see `Stack.run`."""
        if self.backwards:
            values, states = self.stack.run(reverse(source, lengths), lengths)
            values = reverse(values, lengths)
        else:
            values, states = self.stack.run(source, lengths)
        return np.ascontiguousarray(values.swapaxes(0, 1)), states


def read_embeddings(weights: Weights, config: dict) -> tuple[np.ndarray | None, int]:
    """Embeddings of a side, None for real values, and the input features of a step."""
    if config["vocabulary_size"] is None:
        return None, config["features"]
    size = config["embedding_size"]
    table = weights.subpath("input_embedding", "embedding")
    return table.get("embeddings", config["vocabulary_size"], size), size


class Decoder:
    """Decoder; see `seq2seq.models.decoder`.

    Args:
        weights: of the model.
        config: of the decoder.
        memory_size: size of the encoder's outputs.
        embeddings: the encoder's, if the decoder shares them.
    """

    def __init__(self, weights: Weights, config: dict, memory_size: int, embeddings):
        self.size, units = config["vocabulary_size"], config["units"]
        weights = weights.subpath(config["name"])
        self.attention = None
        if config["attention"]:
            kind, options = read_part(config["attention"], "attention", Attention.KINDS)
            path = weights.subpath(options["name"])
            self.attention = Attention(kind, path, options, units, memory_size)
        self.reads_tokens = self.attention is None or not self.attention.replaces_inputs
        if not self.reads_tokens:
            self.embeddings, inputs = None, 0
        elif embeddings is None:
            self.embeddings, inputs = read_embeddings(weights, config)
        else:
            self.embeddings, inputs = embeddings, config["embedding_size"]
        tags = config["embedding_size"] if config["tags"] else 0
        attention_size, output_size = self._sizes(units, memory_size)
        input_size = inputs + tags + attention_size
        self.stack = Stack(weights, config, input_size, self.embeddings)
        self.cell = self.stack.cells[0]  # reads a token, tags, and a context or attentional vector
        self.tag_kernel = self.cell.kernel[inputs : inputs + tags]
        self.attention_kernel = self.cell.kernel[inputs + tags :]
        self.tags = weights.dense("tags", tags, config["tags"], bias=False) if tags else None
        if self.attention and not self.attention.before:
            self.combine = weights.dense("combine", units, units + memory_size)
        self._make_readout(weights, config, output_size, input_size + memory_size)

    def _sizes(self, units: int, memory_size: int) -> tuple[int, int]:
        """Input features of the first layer that come from attention, and of the readout."""
        if self.attention is None:
            return 0, units
        if not self.reads_tokens:
            return memory_size, units
        if self.attention.before:
            return memory_size, units + memory_size
        return units if self.attention.input_feeding else 0, units

    def _make_readout(self, weights: Weights, config: dict, size: int, others: int) -> None:
        kind = check_choice("readout", config["readout"], READOUTS)
        outputs = self.size or config["features"]
        self.pointer = kind == "pointer"
        weights = weights.subpath("readout")
        self.projection = None
        if kind == "tied":
            table = self.embeddings.T
            projection = weights.dense("projection", len(table), size)
            self.logits = Dense(table, weights.subpath("readout").get("bias", outputs))
            if size * outputs <= MAX_FOLDED:  # both products become one
                bias = projection.bias @ table + self.logits.bias
                self.logits = Dense(projection.kernel @ table, bias)
            else:
                self.projection = projection
        else:
            self.logits = weights.dense("logits", outputs, size)
        if self.pointer:
            self.p_gen = weights.dense("p_gen", 1, size + others)

    def start(self, states: tuple, memory: Memory, encoder_states: tuple) -> tuple[State, Memory]:
        """Initial state, and the memory with everything that is computed once.

        Args:
            states: from the bridge.
            memory: with tags (batch, tags).
            encoder_states: final states of the encoder.
        """
        if self.tags is not None:
            tags = self.tags(memory.tags)
            memory = memory._replace(tags=tags, tag_gate_inputs=tags @ self.tag_kernel)
        if self.attention is None:
            return State(states), memory
        memory = memory._replace(keys=self.attention.keys(memory.values, encoder_states))
        batch, time = memory.values.shape[:2]
        attentional = coverage = None
        if self.attention.input_feeding:
            attentional = np.zeros((batch, self.stack.output_size), "float32")
        if self.attention.coverage:
            coverage = np.zeros((batch, time), "float32")
        return State(states, attentional, coverage), memory

    def step(self, tokens: np.ndarray, state: State, memory: Memory) -> tuple[np.ndarray, State]:
        """Compute a step: logits (rows, vocabulary), or of a pointer (rows, vocabulary + time).

        Args:
            tokens: (rows,), previous tokens; real values: (rows, features).
            state: of each row.
            memory: of each source; rows of a source are adjacent.
        """
        rows = len(tokens)
        if self.pointer:
            tokens = np.where(tokens < self.size, tokens, UNKNOWN)
        if not self.reads_tokens:
            tokens = np.zeros((rows, 0), "float32")
        attended, weights, attention = state.attentional, None, self.attention
        if attention and attention.before:
            attended, weights = attention(state.layers[-1][0], memory, state.coverage)
        terms = [] if self.tags is None else [repeat_rows(memory.tag_gate_inputs, rows)]
        if attended is not None:
            terms.append(attended @ self.attention_kernel)
        hidden, layers = self.stack.step(self.cell.gate_inputs(tokens, terms), state.layers)
        output, context, attentional = hidden, attended, None
        if attention and attention.before and self.reads_tokens:
            output = np.concatenate([hidden, context], axis=1)
        elif attention and not attention.before:
            context, weights = attention(hidden, memory, state.coverage)
            output = np.tanh(self.combine(np.concatenate([context, hidden], axis=1)))
            attentional = output if attention.input_feeding else None
        logits = self.logits(output if self.projection is None else self.projection(output))
        if self.pointer:
            tags = None if self.tags is None else repeat_rows(memory.tags, rows)
            features = (output, self.embeddings[tokens], tags, attended, context)
            features = [array for array in features if array is not None]
            gate = self.p_gen(np.concatenate(features, axis=1))
            logits = self._mix(logits, gate, weights, memory)
        coverage = None if state.coverage is None else state.coverage + weights
        return logits, State(layers, attentional, coverage)

    def _mix(self, logits: np.ndarray, gate: np.ndarray, weights: np.ndarray, memory: Memory):
        """Logarithms of the pointer's mixture (See et al. 2017); see `seq2seq.layers.copying`."""
        rows, time = weights.shape
        mixed = np.zeros((rows, self.size + time), "float32")
        mixed[:, : self.size] = sigmoid(gate) * softmax(logits)
        weights = weights * (sigmoid(-gate) / weights.sum(1, keepdims=True))
        indices = repeat_rows(memory.copies, rows) + np.arange(rows)[:, None] * mixed.shape[1]
        np.add.at(mixed.reshape(-1), indices.reshape(-1), weights.reshape(-1))
        mixed = np.log(np.maximum(mixed, np.float32(MIN_PROBABILITY)))
        # Positions beyond its own source are no symbols, however long the other sources are.
        is_beyond = np.arange(time) >= repeat_rows(memory.lengths[:, 0], rows) - 1
        mixed[:, self.size :][is_beyond] = -np.inf
        return mixed


SIZES = ("layers", "embedding_size", "width")
SIZES_OR_NONE = ("units", "vocabulary_size", "features", "tags")
FLAGS = ("residual", "layer_norm", "bidirectional", "backwards", "before", "input_feeding")
FLAGS += ("coverage", "tied_embeddings")


def check_structure(part: object) -> None:
    """Raise a ValueError if a size or flag in a serialized model has another type."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in SIZES or (key in SIZES_OR_NONE and value is not None):
            check_count(key, value)
        if key in FLAGS and type(value) is not bool:
            raise ValueError(f"{key} must be true or false, got {value!r}")
        check_structure(value)


def read_part(config: dict, role: str, kinds: Iterable[str]) -> tuple[str, dict]:
    """Class and arguments of a part that Keras has serialized."""
    name = check_choice(role, config["registered_name"], [f"seq2seq>{kind}" for kind in kinds])
    return name.removeprefix("seq2seq>"), config["config"]


class Model:
    """Encoder, bridge and decoder; see `seq2seq.models.seq2seq`."""

    def __init__(self, arrays: dict[str, np.ndarray], config: dict):
        check_structure(config)
        weights = Weights(arrays)
        _, parts = read_part(config, "model", ("Seq2Seq",))
        _, encoder = read_part(parts["encoder"], "encoder", ("Encoder",))
        _, decoder = read_part(parts["decoder"], "decoder", ("Decoder",))
        kind, bridge = read_part(parts["bridge"], "bridge", Bridge.KINDS)
        self.encoder = Encoder(weights, encoder)
        shared = self.encoder.embeddings if parts["tied_embeddings"] else None
        self.decoder = Decoder(weights, decoder, self.encoder.stack.output_size, shared)
        sizes = self.encoder.stack.sizes, self.decoder.stack.sizes
        self.bridge = Bridge(kind, weights, bridge["name"], *sizes)
        self.features = decoder["features"]
        self.source_size = encoder["features"] or encoder["vocabulary_size"]
        self.target_size = decoder["features"] or decoder["vocabulary_size"]
        self.tags = decoder["tags"]
        if (parts["start_id"], parts["end_id"]) != (START, END):
            ids = f"start_id={parts['start_id']} and end_id={parts['end_id']}"
            raise ValueError(f"this runtime supports start_id=1 and end_id=2, got {ids}")

    def start(self, source: np.ndarray, lengths: np.ndarray, tags, copies):
        """Initial state of the decoder, and the memory; see `Stack.run`."""
        values, states = self.encoder(source, lengths)
        mask = None
        if lengths[-1] < len(source):
            mask = (np.arange(len(source)) < lengths[:, None])[:, None]
        counts = lengths.astype("float32")[:, None, None]
        memory = Memory(values, mask, counts, tags=tags, copies=copies)
        return self.decoder.start(self.bridge(states), memory, states)

    def step(self, tokens: np.ndarray, state: State, memory: Memory):
        """Compute log-probabilities (rows, symbols) of the next token, and the state.

        Pad and start have probability 0.
        """
        logits, state = self.decoder.step(tokens, state, memory)
        logits -= logits.max(-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        logits[:, : START + 1] = -np.inf
        return logits, state
