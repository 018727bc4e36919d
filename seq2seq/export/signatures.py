"""Exported graphs: encoder, step and greedy search, as TensorFlow functions with named tensors.

The names are the same in every format. The encoder's outputs are the fields of the state
(`layer_0_hidden`, `layer_0_cell`, ..., `attentional`, `coverage`) and of the memory
(`memory_values`, ...). The step takes all of them by these names, and returns each field of the
state as `next_` and its name.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from seq2seq.decoding.constraints import SuppressTokens
from seq2seq.decoding.regression import Regression
from seq2seq.decoding.search import Greedy, search
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.recurrent import State
from seq2seq.models.decoder import Decoder, DecoderState
from seq2seq.models.encoder import Memory
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.vocabulary import PAD

MEMORY, NEXT = "memory_", "next_"  # prefixes of fields of the memory, and of the state after a step
STATE_FIELDS = [field for field in DecoderState._fields if field != "layers"]
MEMORY_FIELDS = [field for field in Memory._fields if field != "state"]


class Port(NamedTuple):
    """Input or output of a graph.

    Attributes:
        name: its name in every format.
        dtype: name of its NumPy dtype.
        shape: a number where the size is fixed, a word (`"batch"`, `"time"`) where it is free.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


class Graph(NamedTuple):
    """Function to export.

    Attributes:
        name: `"encoder"`, `"step"` or `"greedy"`.
        function: a `tf.function` from a dictionary of tensors to a dictionary of tensors.
        inputs, outputs: ports of the two dictionaries.
    """

    name: str
    function: Callable
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def signature(self) -> dict:
        """TensorFlow's specifications of the inputs, by their names."""
        return specify(self.inputs)

    @property
    def concrete(self) -> Any:
        """Traced function."""
        return self.function.get_concrete_function(self.signature)


def run_without_lists(
    step: Callable, inputs: Tensor, state: State, mask: Tensor
) -> tuple[Tensor, State]:
    """`seq2seq.layers.recurrent.unroll` in operations that LiteRT supports for any batch and time.

    Outputs are written to one tensor, which each step copies, where `unroll` collects a list. The
    time grows with the square of the length, which is little up to some hundred steps.

    Args:
        step: `step(inputs, state) -> state`.
        inputs: (batch, time, features).
        state: before the first step.
        mask: (batch, time) bool, True for real steps.

    Returns:
        The hidden state after each step, (batch, time, units), and the last state.
    """
    kind = type(state)
    inputs, mask = ops.transpose(inputs, (1, 0, 2)), ops.transpose(mask)  # (time, batch, ...)
    count, batch = ops.shape(mask)
    times = ops.arange(count, dtype="int32")

    def advance(time, state, outputs):
        is_real = ops.take(mask, time, axis=0)[:, None]  # (batch, 1)
        next_state = step(ops.take(inputs, time, axis=0), kind(*state))
        state = [ops.where(is_real, new, old) for new, old in zip(next_state, state, strict=True)]
        is_now = ops.equal(times, time)[:, None, None]  # (time, 1, 1)
        return time + 1, state, ops.where(is_now, state[0][None], outputs)

    outputs = ops.zeros((count, batch, state.hidden.shape[-1]), state.hidden.dtype)
    start = (ops.convert_to_tensor(0, "int32"), list(state), outputs)
    _, state, outputs = ops.while_loop(lambda time, *_: time < count, advance, start)
    return ops.transpose(outputs, (1, 0, 2)), kind(*state)


def trace(model: Seq2Seq, loop: Callable, greedy: bool) -> list[Graph]:
    """Trace the graphs of `model`.

    Args:
        model: its weights are copied.
        loop: loop of the encoder over a source: `seq2seq.layers.recurrent.unroll`, or
            `run_without_lists`.
        greedy: whether a graph of the whole greedy search is included.
    """
    model = standalone(model, loop)
    encoder, step = _trace_parts(model)
    return [encoder, step, _trace_greedy(model, encoder.inputs)] if greedy else [encoder, step]


def standalone(model: Seq2Seq, loop: Callable) -> Seq2Seq:
    """Copy `model` to float32, with `loop` as the encoder's loop over time.

    Keras's own loops would include cuDNN, which few machines have, and lists of tensors.
    """
    copy = type(model).from_config(_in_float32(model.get_config()))
    copy.set_weights(model.get_weights())
    stack = copy.encoder.stack
    kind = type(stack.cell.state_sizes(stack.units))
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
    """Keras's `inner_loop` by `loop`: last output, all outputs, last states."""
    outputs, state = loop(layer.step, sequences, kind(*initial_state), mask)
    return state.hidden, outputs, list(state)


def _trace_parts(model: Seq2Seq) -> tuple[Graph, Graph]:
    """Encoder and step, without the fields of the memory that no step reads."""
    import tensorflow as tf

    decoder, inputs = model.decoder, source_ports(model)

    def start(tensors):
        state, memory = model.start(tensors)
        return {**name_state(state), **name_memory(memory)}

    is_tokens = decoder.features is None
    output_name, input_name = ("logits", "tokens") if is_tokens else ("next_values", "values")

    def step(tensors):
        state = read_state(tensors, decoder.state_sizes)
        output = decoder.step(tensors[input_name], state, read_memory(tensors))
        results = {output_name: output.logits, **name_state(output.state, NEXT)}
        return results if output.attention is None else {**results, "attention": output.attention}

    shape = ("batch",) if is_tokens else ("batch", decoder.features)
    first = Port(input_name, "int32" if is_tokens else "float32", shape)
    ports = output_ports(tf.function(start, autograph=False), inputs, decoder)
    unread = unread_inputs(tf.function(step, autograph=False), (first, *ports))
    ports = tuple(port for port in ports if port.name not in unread)

    def encode(tensors):
        results = start(tensors)
        return {port.name: results[port.name] for port in ports}

    encode, step = tf.function(encode, autograph=False), tf.function(step, autograph=False)
    outputs = output_ports(step, (first, *ports), decoder)
    return Graph("encoder", encode, inputs, ports), Graph("step", step, (first, *ports), outputs)


def _trace_greedy(model: Seq2Seq, inputs: tuple[Port, ...]) -> Graph:
    import tensorflow as tf

    features = model.decoder.features
    strategy = Greedy() if features is None else Regression(features)
    output_name = "tokens" if features is None else "values"
    suppressed = SuppressTokens(np.array([PAD, model.start_id], "int32"))  # as in a Predictor

    def decode(tensors):
        tensors = dict(tensors)
        max_length = tensors.pop("max_length")
        state, memory = model.start(tensors)
        hypotheses = search(
            model.decoder.step,
            state,
            memory,
            strategy,
            start_id=model.start_id,
            end_id=model.end_id,
            max_length=max_length,
            constraints=() if features else (suppressed,),
        )
        return {
            output_name: hypotheses.tokens[:, 0],
            "lengths": hypotheses.lengths[:, 0],
            "scores": hypotheses.scores[:, 0],
        }

    dtype, size = ("int32", ()) if features is None else ("float32", (features,))
    outputs = (
        Port(output_name, dtype, ("batch", "max_length", *size)),
        Port("lengths", "int32", ("batch",)),
        Port("scores", "float32", ("batch",)),
    )
    inputs = (*inputs, Port("max_length", "int32", ()))
    return Graph("greedy", tf.function(decode, autograph=False), inputs, outputs)


def source_ports(model: Seq2Seq) -> tuple[Port, ...]:
    """Inputs of the encoder of `model`; see `Seq2Seq`."""
    encoder, decoder = model.encoder, model.decoder
    steps = ("batch", "time")
    if encoder.features is None:
        ports = [Port("source", "int32", steps)]
    else:
        ports = [Port("source", "float32", (*steps, encoder.features))]
    ports.append(Port("source_mask", "bool", steps))
    if decoder.tags:
        ports.append(Port("tags", "float32", ("batch", decoder.tags)))
    if decoder.readout_type == "pointer":
        ports.append(Port("copies", "int32", steps))
    return tuple(ports)


def name_state(state: DecoderState, prefix: str = "") -> dict[str, Tensor]:
    """Tensors of a state by their names."""
    named = {
        f"{prefix}layer_{number}_{field}": tensor
        for number, layer in enumerate(state.layers)
        for field, tensor in zip(layer._fields, layer, strict=True)
    }
    fields = {f"{prefix}{field}": getattr(state, field) for field in STATE_FIELDS}
    return {**named, **{name: tensor for name, tensor in fields.items() if tensor is not None}}


def read_state(named: dict[str, Tensor], sizes: tuple) -> DecoderState:
    """State from the tensors of `name_state`; `sizes` are its structure."""
    layers = tuple(
        type(layer)(*(named[f"layer_{number}_{field}"] for field in layer._fields))
        for number, layer in enumerate(sizes)
    )
    return DecoderState(layers, *(named.get(field) for field in STATE_FIELDS))


def name_memory(memory: Memory) -> dict[str, Tensor]:
    """Tensors of a memory by their names; keys that are the values are not repeated."""
    named = {field: getattr(memory, field) for field in MEMORY_FIELDS}
    if memory.keys is memory.values:
        named["keys"] = None
    return {f"{MEMORY}{field}": tensor for field, tensor in named.items() if tensor is not None}


def read_memory(named: dict[str, Tensor]) -> Memory:
    """Memory from the tensors of `name_memory`, with the fields that a step reads."""
    fields = {field: named.get(f"{MEMORY}{field}") for field in MEMORY_FIELDS}
    if fields["keys"] is None:
        fields["keys"] = fields["values"]
    return Memory(state=(), **fields)


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
    """Outputs of `function`, a `tf.function`, for `inputs`."""
    outputs = function.get_concrete_function(specify(inputs)).structured_outputs
    return tuple(_describe(name, tensor, decoder) for name, tensor in outputs.items())


def _describe(name: str, tensor: Any, decoder: Decoder) -> Port:
    words = ["batch", *["time"] * (len(tensor.shape) - 1)]
    if name in ("logits", f"{MEMORY}copies"):  # of a pointer: symbols, then source positions
        words[-1] = f"{decoder.vocabulary_size} + time"
    shape = [word if size is None else size for word, size in zip(words, tensor.shape, strict=True)]
    return Port(name, tensor.dtype.name, tuple(shape))


def unread_inputs(function: Callable, inputs: tuple[Port, ...]) -> set[str]:
    """Names of the `inputs` that `function`, a `tf.function`, does not use."""
    tensors = function.get_concrete_function(specify(inputs)).inputs
    names = {port.name for port in inputs}
    return {t.op.name for t in tensors if t.op.name in names and not t.consumers()}
