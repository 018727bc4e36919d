"""What is exported: encoder, step and greedy search, as TensorFlow functions with named tensors.

The names are the scheme that every format keeps. The encoder's outputs are the state's parts
(`layer_0_hidden`, `layer_0_cell`, ..., `fed`, `coverage`) and the memory's (`memory_values`, ...).
The step takes all of them by these names, and returns each part of the state as `next_` and its
name.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from seq2seq.data.vocabulary import PAD
from seq2seq.decoding.constraints import Banned
from seq2seq.decoding.search import Greedy, Values, search
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.recurrent import State
from seq2seq.models.decoder import Decoder, DecoderState
from seq2seq.models.encoder import Memory
from seq2seq.models.seq2seq import Seq2Seq

MEMORY, NEXT = "memory_", "next_"  # before names of the memory, and of the state after a step
FED = [field for field in DecoderState._fields if field != "layers"]
KEPT = [field for field in Memory._fields if field != "state"]


class Port(NamedTuple):
    """An input or an output of a graph.

    Attributes:
        name: as a runtime knows it.
        dtype: as NumPy names it.
        shape: a number where the size is fixed, a word (`"batch"`, `"time"`) where it is free.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


class Graph(NamedTuple):
    """A function to export.

    Attributes:
        name: `"encoder"`, `"step"` or `"greedy"`.
        function: a `tf.function` from a dictionary of tensors to a dictionary of tensors.
        inputs, outputs: what the two dictionaries hold.
    """

    name: str
    function: Callable
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def signature(self) -> dict:
        """The inputs as TensorFlow's specifications, by their names."""
        return specify(self.inputs)

    @property
    def concrete(self) -> Any:
        """The traced function."""
        return self.function.get_concrete_function(self.signature)


def run_without_lists(
    step: Callable, inputs: Tensor, state: State, mask: Tensor
) -> tuple[Tensor, State]:
    """`seq2seq.layers.recurrent.unroll`, in operations that LiteRT has for any batch and time.

    Outputs go into one tensor, which each step rewrites, where `unroll` collects a list. That costs
    time squared, which is little up to some hundred steps.

    Args:
        step: `step(inputs, state) -> state`.
        inputs: (batch, time, features).
        state: before the first step.
        mask: (batch, time) bool, True for real steps.

    Returns:
        The hidden state after each step, (batch, time, units), and the last state.
    """
    kind = type(state)
    inputs, mask = ops.transpose(inputs, (1, 0, 2)), ops.transpose(mask)
    count, batch = ops.shape(mask)
    times = ops.arange(count, dtype="int32")

    def advance(time, state, said):
        real = ops.take(mask, time, axis=0)[:, None]  # (batch, 1)
        after = step(ops.take(inputs, time, axis=0), kind(*state))
        state = [ops.where(real, new, old) for new, old in zip(after, state, strict=True)]
        here = ops.equal(times, time)[:, None, None]  # (time, 1, 1)
        return time + 1, state, ops.where(here, state[0][None], said)

    said = ops.zeros((count, batch, state.hidden.shape[-1]), state.hidden.dtype)
    start = (ops.convert_to_tensor(0, "int32"), list(state), said)
    _, state, said = ops.while_loop(lambda time, *_: time < count, advance, start)
    return ops.transpose(said, (1, 0, 2)), kind(*state)


def trace(model: Seq2Seq, loop: Callable, greedy: bool) -> list[Graph]:
    """The graphs of `model`.

    Args:
        model: its weights are copied.
        loop: how the encoder goes through a source: `seq2seq.layers.recurrent.unroll`, or
            `run_without_lists`.
        greedy: whether there is a graph of a whole greedy search, too.
    """
    model = standalone(model, loop)
    encoder, step = _trace_parts(model)
    return [encoder, step, _trace_greedy(model, encoder.inputs)] if greedy else [encoder, step]


def standalone(model: Seq2Seq, loop: Callable) -> Seq2Seq:
    """A copy of `model` that computes in float32 and reads its source by `loop`.

    Keras's own loops would hold what only some machines have (cuDNN), and lists of tensors.
    """
    copy = type(model).from_config(_in_float32(model.get_config()))
    copy.set_weights(model.get_weights())
    stack = copy.encoder.stack
    kind = type(stack.cell.sizes(stack.units))
    for layer in (*stack.recurrent, *stack.backward):
        layer.inner_loop = functools.partial(_read, layer, kind, loop)  # Keras's hook
    return copy


def _in_float32(config: Any) -> Any:
    if isinstance(config, list | tuple):
        return [_in_float32(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: "float32" if key == "dtype" and value is not None else _in_float32(value)
        for key, value in config.items()
    }


def _read(layer, kind, loop, sequences, initial_state, mask, training=False):
    """What Keras expects of a loop: last output, all outputs, last states."""
    said, state = loop(layer.step, sequences, kind(*initial_state), mask)
    return state.hidden, said, list(state)


def _trace_parts(model: Seq2Seq) -> tuple[Graph, Graph]:
    """Encoder and step. What no step reads of the memory is left out of both."""
    import tensorflow as tf

    decoder, inputs = model.decoder, source_ports(model)

    def know(given):
        state, memory = model.start(given)
        return {**name_state(state), **name_memory(memory)}

    said, read = ("logits", "tokens") if decoder.features is None else ("next_values", "values")

    def step(given):
        state = read_state(given, decoder.state_sizes)
        output = decoder.step(given[read], state, read_memory(given))
        found = {said: output.logits, **name_state(output.state, NEXT)}
        return found if output.attention is None else {**found, "attention": output.attention}

    shape = ("batch",) if decoder.features is None else ("batch", decoder.features)
    first = Port(read, "int32" if decoder.features is None else "float32", shape)
    known = output_ports(tf.function(know, autograph=False), inputs, decoder)
    unread = unread_inputs(tf.function(step, autograph=False), (first, *known))
    known = tuple(port for port in known if port.name not in unread)

    def encode(given):
        found = know(given)
        return {port.name: found[port.name] for port in known}

    encode, step = tf.function(encode, autograph=False), tf.function(step, autograph=False)
    outputs = output_ports(step, (first, *known), decoder)
    return Graph("encoder", encode, inputs, known), Graph("step", step, (first, *known), outputs)


def _trace_greedy(model: Seq2Seq, inputs: tuple[Port, ...]) -> Graph:
    import tensorflow as tf

    features = model.decoder.features
    strategy = Greedy() if features is None else Values(features)
    said = "tokens" if features is None else "values"
    never = Banned(np.array([PAD, model.start_id], "int32"))  # as a Predictor has it

    def decode(given):
        given = dict(given)
        max_length = given.pop("max_length")
        state, memory = model.start(given)
        found = search(
            model.decoder.step,
            state,
            memory,
            strategy,
            start_id=model.start_id,
            end_id=model.end_id,
            max_length=max_length,
            constraints=() if features else (never,),
        )
        tokens, lengths, scores = found.tokens[:, 0], found.lengths[:, 0], found.scores[:, 0]
        return {said: tokens, "lengths": lengths, "scores": scores}

    size = () if features is None else (features,)
    outputs = (
        Port(said, "int32" if features is None else "float32", ("batch", "max_length", *size)),
        Port("lengths", "int32", ("batch",)),
        Port("scores", "float32", ("batch",)),
    )
    inputs = (*inputs, Port("max_length", "int32", ()))
    return Graph("greedy", tf.function(decode, autograph=False), inputs, outputs)


def source_ports(model: Seq2Seq) -> tuple[Port, ...]:
    """What the encoder of `model` reads; see `Seq2Seq`."""
    encoder, decoder = model.encoder, model.decoder
    steps = ("batch", "time")
    if encoder.features is None:
        ports = [Port("source", "int32", steps)]
    else:
        ports = [Port("source", "float32", (*steps, encoder.features))]
    ports.append(Port("source_mask", "bool", steps))
    if decoder.tags:
        ports.append(Port("tags", "float32", ("batch", decoder.tags)))
    if decoder.readout == "pointer":
        ports.append(Port("copies", "int32", steps))
    return tuple(ports)


def name_state(state: DecoderState, prefix: str = "") -> dict[str, Tensor]:
    """The parts of a state by their names."""
    named = {
        f"{prefix}layer_{number}_{field}": tensor
        for number, layer in enumerate(state.layers)
        for field, tensor in zip(layer._fields, layer, strict=True)
    }
    parts = {f"{prefix}{field}": part for field, part in state._asdict().items() if field in FED}
    return {**named, **{k: part for k, part in parts.items() if not isinstance(part, tuple)}}


def read_state(named: dict[str, Tensor], sizes: tuple) -> DecoderState:
    """The state that `name_state` took apart; `sizes` are its structure."""
    layers = tuple(
        type(layer)(*(named[f"layer_{number}_{field}"] for field in layer._fields))
        for number, layer in enumerate(sizes)
    )
    return DecoderState(layers, *(named.get(field, ()) for field in FED))


def name_memory(memory: Memory) -> dict[str, Tensor]:
    """The parts of a memory by their names; keys that are the values are not repeated."""
    named = {field: part for field, part in memory._asdict().items() if field in KEPT}
    if memory.keys is memory.values:
        named["keys"] = None
    return {f"{MEMORY}{field}": part for field, part in named.items() if part is not None}


def read_memory(named: dict[str, Tensor]) -> Memory:
    """The memory that `name_memory` took apart, with what a step reads of it."""
    parts = {field: named.get(f"{MEMORY}{field}") for field in KEPT}
    if parts["keys"] is None:
        parts["keys"] = parts["values"]
    return Memory(state=(), **parts)


def specify(ports: tuple[Port, ...]) -> dict:
    """TensorFlow's specifications of `ports`, by their names."""
    import tensorflow as tf

    return {
        name: tf.TensorSpec([s if isinstance(s, int) else None for s in shape], dtype, name=name)
        for name, dtype, shape in ports
    }


def output_ports(
    function: Callable, inputs: tuple[Port, ...], decoder: Decoder
) -> tuple[Port, ...]:
    """What `function`, a `tf.function`, returns for `inputs`."""
    outputs = function.get_concrete_function(specify(inputs)).structured_outputs
    return tuple(_describe(name, tensor, decoder) for name, tensor in outputs.items())


def _describe(name: str, tensor: Any, decoder: Decoder) -> Port:
    words = ["batch", *["time"] * (len(tensor.shape) - 1)]
    if name in ("logits", f"{MEMORY}copies"):  # a pointer's: symbols, then places in the source
        words[-1] = f"{decoder.vocabulary_size} + time"
    shape = [word if size is None else size for word, size in zip(words, tensor.shape, strict=True)]
    return Port(name, tensor.dtype.name, tuple(shape))


def unread_inputs(function: Callable, inputs: tuple[Port, ...]) -> set[str]:
    """Names of the `inputs` of which `function`, a `tf.function`, makes nothing."""
    tensors = function.get_concrete_function(specify(inputs)).inputs
    names = {port.name for port in inputs}
    return {t.op.name for t in tensors if t.op.name in names and not t.consumers()}
