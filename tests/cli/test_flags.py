from pathlib import Path

import pytest

from cairn.base.errors import InputError, SettingsError
from cairn.base.settings import DescribeSettings, SplitSettings, TrainSettings
from cairn.cli.flags import Given, Option, Shape, Word, parse, parser

SHAPE = Shape(
    words=(Word("WORK", "the work folder"),),
    options=(
        Option("--folder", "photos", required=False),
        Option("--fresh", "anew", is_switch=True),
    ),
    sections={"split": SplitSettings, "describe": DescribeSettings, "train": TrainSettings},
)


def given(*arguments: str) -> Given:
    return parse("split", "Deal the images.", SHAPE, ["work", *arguments])


def problems(*arguments: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        given(*arguments)
    return caught.value.problems


def test_what_is_not_given_is_the_default_of_the_settings() -> None:
    assert given().settings("split", SplitSettings) == SplitSettings()
    assert given().words == {"WORK": "work"}
    assert given().path("--folder") is None


def test_flags_are_the_names_of_the_settings() -> None:
    found = given("--ratio", "50/0/50", "--pooling", "gem,cls", "--no-keep-shape", "--fresh")
    assert found.settings("split", SplitSettings).ratio == (0.5, 0, 0.5)
    describe = found.settings("describe", DescribeSettings)
    assert (describe.pooling, describe.keep_shape) == (("gem", "cls"), False)
    assert found.switches == {"--fresh"}


def test_a_flag_that_two_stages_share_reaches_both() -> None:
    found = given("--seed", "9")
    assert found.settings("split", SplitSettings).seed == 9
    assert found.settings("train", TrainSettings).seed == 9


def test_all_wrong_settings_are_told_together() -> None:
    found = problems("--ratio", "80/20", "--copy-bits", "999", "--sed", "1", "--precision", "2")
    assert len(found) == 4
    assert found[0] == "there is no --sed (did you mean --seed?)"
    assert found[1].startswith("--ratio is '80/20'; expected: three numbers for train/val/test")
    assert found[2] == "--copy-bits is '999'; expected: less than or equal to 180"


def test_a_ratio_without_train_is_refused() -> None:
    assert "train needs a share above 0" in problems("--ratio", "0/50/50")[0]


def test_a_file_gives_settings_and_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[split]\nseed = 3\nratio = [60, 20, 20]\n[serve]\nport = 9\n")
    found = given("--settings", str(path), "--seed", "4").settings("split", SplitSettings)
    assert (found.seed, found.ratio) == (4, (0.6, 0.2, 0.2))


def test_a_file_with_unknown_words_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[splitt]\nseed = 3\n[split]\nsede = 1\n")
    assert problems("--settings", str(path)) == (
        f"{path} has [splitt], which is no stage (did you mean split?)",
        f"{path} has sede in [split], which is no setting (did you mean seed?)",
    )


@pytest.mark.parametrize(
    ("content", "message"), [("[split", "is no TOML"), (None, "cannot be read")]
)
def test_a_file_that_is_no_settings_file_is_told(
    tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "s.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        given("--settings", str(path))


def test_a_missing_word_and_a_word_too_many_are_wrong_usage() -> None:
    with pytest.raises(SettingsError, match="WORK"):
        parse("split", "", SHAPE, [])
    assert "more was not expected" in problems("more")[0]


def test_help_shows_every_setting_with_its_default() -> None:
    text = parser("split", "Deal the images.", SHAPE).format_help()
    assert "--ratio" in text
    assert "[80/10/10]" in text
    assert "--keep-shape, --no-keep-shape" in text


def test_what_is_wrong_is_said_once_and_in_plain_words() -> None:
    assert problems("--sides-px", "nonsense", "--seed", "x", "--gem-power", "y") == (
        "--seed is 'x'; expected: a whole number",
        "--sides-px is 'nonsense'; expected: a whole number",
        "--gem-power is 'y'; expected: a number",
    )
    assert problems("--sides-px", "") == (
        "--sides-px is []; expected: one or more, with commas between them",
    )
