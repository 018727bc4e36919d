"""A run keeps copies of its data, and finds them; links out of it are ignored."""

from seq2seq.runs.existing import with_data_files
from seq2seq.runs.files import KEPT_DATA, keep_data, read_kept_data


def test_data_is_kept_once_and_found(tmp_path):
    run = tmp_path / "run"
    (tmp_path / "other").mkdir(parents=True)
    run.mkdir()
    for name in ("a.txt", "other/a.txt", "test.csv"):
        (tmp_path / name).write_text(name)
    files = {
        "train": [tmp_path / "a.txt", tmp_path / "other/a.txt"],
        "test": [tmp_path / "test.csv"],
    }
    keep_data(run, files)
    for file in tmp_path.glob("*.*"):
        file.write_text("changed")
    keep_data(run, files)
    kept_data = read_kept_data(run)
    assert {key: [path.read_text() for path in paths] for key, paths in kept_data.items()} == {
        "train": ["a.txt", "other/a.txt"],
        "test": ["test.csv"],
    }
    assert [path.name for path in run.iterdir()] == [KEPT_DATA]


def test_a_configuration_names_the_copies(tmp_path):
    (tmp_path / "a.tsv").touch()
    config = {"seed": 1, "task": {"train": "gone.tsv", "test": ["x", "y"], "seed": 1}}
    assert with_data_files(config, tmp_path) == config
    keep_data(tmp_path, {"train": [tmp_path / "a.tsv"], "strange": [tmp_path / "a.tsv"]})
    task = {"train": str(tmp_path / "kept_data/train/1/a.tsv"), "test": ["x", "y"], "seed": 1}
    assert with_data_files(config, tmp_path) == {"seed": 1, "task": task}
    assert config["task"]["train"] == "gone.tsv"


def test_links_out_of_the_run_are_not_its_data(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/a.tsv").write_text("secret")
    directory = tmp_path / "run" / KEPT_DATA
    for name in ("train/1", "test"):
        (directory / name).mkdir(parents=True)
    (directory / "train/1/a.tsv").symlink_to(tmp_path / "secret/a.tsv")
    (directory / "test/1").symlink_to(tmp_path / "secret")
    assert read_kept_data(tmp_path / "run") == {}
