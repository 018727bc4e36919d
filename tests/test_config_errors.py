"""Errors of configurations name the nearest valid choice, in one line."""

import pytest
from hydra.errors import HydraException

from seq2seq.config import BASE, compose
from seq2seq.config_errors import explain


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["task=adition"], "unknown task 'adition'; did you mean 'addition'? There are: addition"),
        (["bridge=dens"], "unknown bridge 'dens'; did you mean 'dense'?"),
        (["taks=copy"], "unknown key 'taks'; did you mean 'task'?"),
        (["task.max_lenght=5"], "unknown key 'task.max_lenght'; did you mean 'task.max_length'?"),
        (["model.units=5"], "unknown key 'model.units'; did you mean 'model.encoder.units'?"),
        (["task=copy", "task.digits=5"], "unknown key 'task.digits'; task has symbols, numbers"),
        (["task=addition", "task.digit=5"], "unknown key 'task.digit'; did you mean 'task.digits"),
        (["trainin.epochs=1"], "unknown key 'trainin.epochs'; did you mean 'training.epochs'?"),
        (["bridge=[copy,dense]", "trainin.epochs=3"], "unknown key 'trainin.epochs'; did you mean"),
        (["task=[copy,reverse]"], "task must be one choice"),
        (["attention=[dot,general]"], "attention must be one choice"),
        pytest.param(
            ["model.decoder.cell.kind=gru"],
            "unknown key 'model.decoder.cell.kind'; did you mean 'cell.",
            marks=pytest.mark.skipif(not BASE, reason="Hydra 1.4 overrides what a key refers to"),
        ),
        (["attention.units=5"], "unknown key 'attention.units'; attention as it is chosen has no"),
    ],
)
def test_unknown_names_come_with_the_nearest_right_one(overrides, message):
    with pytest.raises((HydraException, ValueError)) as caught:
        compose(overrides)
    explained = explain(caught.value, overrides)
    assert explained.startswith(message)
    assert "\n" not in explained
