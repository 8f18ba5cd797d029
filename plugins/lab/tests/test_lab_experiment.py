"""Experiment files: every mistake is named with its file, key and value."""

import pytest

import tain
from tain_lab.experiment import read_experiment

GOOD = """
[data]
file = "table.csv"
[constraint]
name = "test-shares"
parts = 3
[generator]
name = "test-normal"
"""


def read(tmp_path, text):
    (tmp_path / "e.toml").write_text(text)
    return read_experiment(tmp_path / "e.toml")


def test_a_short_file_is_enough(tmp_path):
    experiment = read(tmp_path, GOOD)
    assert experiment.data.file == str(tmp_path / "table.csv")
    assert experiment.training.steps == 3000
    assert experiment.build_constraint().event_shape == (3,)
    assert experiment.build_generator((2,)).event_shape == (2,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data", "cannot be read as TOML"),
        (GOOD + "[trainin]\nsteps = 3", r"e\.toml: unknown key 'trainin'\. Did you mean: training"),
        (GOOD + "[training]\nstps = 3", r"'training': unknown key 'stps'\. Did you mean: steps"),
        (GOOD + '[training]\nsteps = "a"', r"'steps' is 'a' \(str\)"),
        (GOOD + "[training]\nsteps = 0", r"'steps' is 0, but must be at least 1"),
        (GOOD.replace('file = "table.csv"', ""), r"'file' \(the data file.*\) is missing"),
        (
            GOOD.replace('file = "table.csv"', 'file = "t.csv"\nheld_out = 1.0'),
            r"'held_out' is 1\.0, but must be below 1",
        ),
        (GOOD.replace('file = "table.csv"', 'file = "t.csv"\ncolumns = "a"'), r"'columns' is 'a' \(str\)"),
        (GOOD.replace('name = "test-normal"', ""), r"\[generator\] has no name"),
        ("seed = -1" + GOOD, r"'seed' is -1, but must be at least 0"),
        ("seed = true" + GOOD, r"'seed' is True"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(tain.ConfigurationError, match=r"none\.toml: no such file"):
        read_experiment(tmp_path / "none.toml")


def test_an_unknown_rule_or_argument_is_named_with_the_nearest(tmp_path):
    with pytest.raises(tain.UnknownNameError, match="Did you mean: test-shares"):
        read(tmp_path, GOOD.replace("test-shares", "test-share")).build_constraint()
    with pytest.raises(
        tain.ConfigurationError, match=r"constraint 'test-shares': unknown key 'part'\. Did you mean: parts"
    ):
        read(tmp_path, GOOD.replace("parts", "part")).build_constraint()


def test_a_mirror_map_that_does_not_fit_is_refused(tmp_path):
    @tain.constraint("test-other", event_ndim=1)
    def other(x):
        return x.abs().sum(1)

    experiment = read(tmp_path, GOOD + '[mirror]\nname = "test-log-ratio"')
    assert experiment.build_mirror(experiment.build_constraint()).mirror_shape((3,)) == (2,)
    with pytest.raises(tain.ConfigurationError, match="'test-log-ratio' does not take a TestOther"):
        experiment.build_mirror(other)


def test_the_digest_follows_the_settings_and_the_data(tmp_path):
    (tmp_path / "table.csv").write_text("a\n1\n")
    first = read(tmp_path, GOOD).digest()
    assert read(tmp_path, "# a comment\n" + GOOD).digest() == first
    assert read(tmp_path, "seed = 1" + GOOD).digest() != first
    (tmp_path / "table.csv").write_text("a\n2\n")
    assert read(tmp_path, GOOD).digest() != first
