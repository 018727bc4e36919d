"""Only structures of this package's classes, and of the weights' sizes, become models."""

import copy

import keras
import numpy as np
import pytest

from seq2seq import Decoder, Encoder, Seq2Seq
from seq2seq.layers import Additive, Cell, LayerwiseDense
from seq2seq.models.deserialization import make_model


@pytest.fixture(scope="module")
def serialized():
    """A structure, and the shapes of its weights."""
    sizes = {"units": 3, "vocabulary_size": 7, "embedding_size": 2}
    decoder = Decoder(**sizes, layers=2, attention=Additive(units=2), readout="pointer")
    model = Seq2Seq(Encoder(**sizes, layers=2, bidirectional=True), decoder, LayerwiseDense())
    model.compile("adam", "mse")
    shapes = {weight.path: tuple(weight.shape) for weight in model.weights}
    return keras.saving.serialize_keras_object(model), shapes


@pytest.fixture
def structure(serialized):
    return copy.deepcopy(serialized[0])


def test_what_was_serialised_is_made_again(serialized):
    structure, shapes = serialized
    model = make_model(structure, shapes)
    assert {weight.path: tuple(weight.shape) for weight in model.weights} == shapes
    assert all(np.isfinite(weight).all() for weight in model.weights)
    assert not model.compiled  # an optimiser would need memory, and is of no use


def test_checking_a_structure_allocates_nothing(serialized):
    structure, shapes = serialized
    for wrong in (shapes, {**shapes, "more": (1,)}):
        try:
            make_model(structure, wrong)
        except ValueError as error:
            assert "differ in more" in str(error)
    with keras.StatelessScope():  # on leaving it Keras would allocate what it remembers
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
    remembered = keras.src.backend.common.global_state.get_global_attribute
    assert remembered("uninitialized_variables") == []
    assert layer.kernel.shape == (3, 2)


FOREIGN = [
    {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "eval"},
    {"module": "os", "class_name": "function", "config": "system", "registered_name": "function"},
    {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None},
    {"module": "keras.initializers", "class_name": "get", "config": {}, "registered_name": None},
    {"module": "keras.initializers", "class_name": "Dense", "config": {}, "registered_name": None},
    {
        "module": "keras.initializers",
        "class_name": "Zeros",
        "config": {},
        "registered_name": "seq2seq>Copy",
    },
    {
        "module": "keras.initializers",
        "class_name": "Constant",
        "config": {"value": {"module": "os", "class_name": "system", "config": {}}},
        "registered_name": None,
    },
    {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp"}},
    {"module": "keras.src.saving.saving_lib", "class_name": "DiskIOStore", "config": {}},
    {"module": "seq2seq.layers.input_embedding", "class_name": "InputEmbedding", "config": {}},
    {
        "module": "keras",
        "class_name": "InputEmbedding",
        "config": {},
        "registered_name": "seq2seq>InputEmbedding",
    },
    {"class_name": "__lambda__", "config": {"value": "4wAAAA"}},
    {"class_name": "__tensor__", "config": {"value": [1], "dtype": "float32"}},
    {"class_name": "__typespec__", "config": [], "spec_name": "x", "module": "x"},
    {"registered_name": ["seq2seq>Copy"], "class_name": "Copy", "config": {}},
    {
        "class_name": "__numpy__",  # Keras looks at it first, and would make an array of any size
        "registered_name": "seq2seq>Copy",
        "module": "seq2seq.layers",
        "config": {"value": ["a"] * 4, "dtype": "S1000000000"},
    },
    {
        "class_name": "Additive",
        "registered_name": "seq2seq>Copy",
        "module": "seq2seq.layers",
        "config": {},
    },
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda part: str(part.get("class_name")))
@pytest.mark.parametrize("key", ["bridge", "attention", "cell", "name", "list", "root"])
def test_no_other_class_is_made(structure, serialized, foreign, key):
    decoder = structure["config"]["decoder"]["config"]
    if key == "root":
        structure = {**foreign}
    elif key == "bridge":
        structure["config"]["bridge"] = foreign
    elif key == "list":
        decoder["layers"] = [2, {"deep": [foreign]}]
    else:
        decoder[key] = foreign
    with pytest.raises(ValueError, match="is not a part of this package"):
        make_model(structure, serialized[1])


def test_a_class_that_somebody_else_registered_is_not_made(structure, serialized):
    @keras.saving.register_keras_serializable("theirs")
    class Bridge(keras.layers.Layer):
        pass

    part = keras.saving.serialize_keras_object(Bridge())
    structure["config"]["bridge"] = {**part, "module": "seq2seq.layers.bridges"}
    with pytest.raises(ValueError, match="'Bridge' of the module .*registered as 'theirs>Bridge'"):
        make_model(structure, serialized[1])
    keras.saving.get_custom_objects().pop("theirs>Bridge")


@pytest.mark.parametrize(
    "part, key, value, message",
    [
        ("encoder", "units", 10**9, "the model needs .2000000000, 3"),
        ("decoder", "layers", 10**9, "1000000000 layers and weights for 36 at most"),
        ("decoder", "layers", 0, "its model can't be made: .*layers must be"),
        ("encoder", "vocabulary_size", 2**62, "the model needs .4611686018427387904, 2"),
        ("decoder", "dtype", "words", "its model can't be made"),
        ("decoder", "attention", None, "can't be made|differ in"),
        ("decoder", "more", 1, "can't be made: .*unexpected keyword argument 'more'"),
        ("encoder", "cell", [[]], "its model can't be made"),
    ],
)
def test_a_structure_that_does_not_fit_its_weights_is_refused(
    structure, serialized, part, key, value, message
):
    structure["config"][part]["config"][key] = value
    with pytest.raises(ValueError, match=message):
        make_model(structure, serialized[1])


def test_a_part_is_no_model(structure, serialized):
    with pytest.raises(ValueError, match="it holds a Encoder, a Seq2Seq was expected"):
        make_model(structure["config"]["encoder"], serialized[1])


def test_a_residual_of_training_is_never_looked_at(structure, serialized):
    for key in ("compile_config", "build_config"):
        structure[key] = {"optimizer": FOREIGN[0], "input_shape": "nonsense"}
        structure["config"]["bridge"][key] = FOREIGN[1]
    assert isinstance(make_model(structure, serialized[1]), Seq2Seq)


def test_other_kinds_of_cells_are_made_again():
    for kind in ("gru", "rnn"):
        sizes = {"units": 3, "features": 2, "cell": Cell(kind, layer_norm=True)}
        model = Seq2Seq(Encoder(**sizes), Decoder(**sizes))
        shapes = {weight.path: tuple(weight.shape) for weight in model.weights}
        restored = make_model(keras.saving.serialize_keras_object(model), shapes)
        assert restored.get_config() == model.get_config()
