from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.base.settings import DownloadSettings
from cairn.images.fetch.rules import HostRule, HostRules, SizeKind, Smaller, shipped_table

SETTINGS = DownloadSettings(host_concurrency=3, host_rate=7)


def rules_of(folder: Path, text: str) -> HostRules:
    path = folder / "hosts.toml"
    path.write_text(text)
    return HostRules.read(path, settings=SETTINGS)


def told(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as raised:
        rules_of(folder, text)
    return str(raised.value)


def test_a_host_without_a_rule_has_the_one_of_the_settings() -> None:
    rule = HostRules.read(settings=SETTINGS).of("photos.example")
    assert rule == HostRule(concurrency=3, rate_per_s=7.0)


def test_the_table_that_is_shipped_knows_the_rules_of_wikimedia() -> None:
    rule = HostRules.read(settings=SETTINGS).of("upload.wikimedia.org")
    assert (rule.concurrency, rule.mbit_per_s, rule.contact_required) == (2, 25.0, True)
    widths = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)
    assert rule.smaller == Smaller(SizeKind.WIKIMEDIA, widths)


@pytest.mark.parametrize(
    "host", ["lh3.googleusercontent.com", "lh6.ggpht.com", "1.bp.blogspot.com"]
)
def test_the_table_that_is_shipped_knows_googles_photos(host: str) -> None:
    rule = HostRules.read(settings=SETTINGS).of(host)
    assert rule.smaller == Smaller(SizeKind.GOOGLE)


def test_every_rule_that_is_shipped_says_where_it_comes_from() -> None:
    hosts = ["upload.wikimedia.org", "en.wikipedia.org", "lh3.ggpht.com"]
    shipped = HostRules.read(settings=SETTINGS)
    assert all(shipped.of(host).source.startswith("https://") for host in hosts)


def test_the_most_exact_name_wins_and_a_port_changes_nothing(tmp_path: Path) -> None:
    names = ["*.org", "*.a.org", "b.a.org"]
    text = "".join(f'[[rule]]\nhosts = ["{name}"]\nsource = "{name}"\n' for name in names)
    rules = rules_of(tmp_path, text)
    hosts = ["b.a.org", "b.a.org:8080", "c.b.a.org", "a.org", "x.org:81", "org", "[::1]:80"]
    assert [rules.of(host).source for host in hosts] == [
        "b.a.org", "b.a.org", "*.a.org", "*.org", "*.org", "", "",
    ]  # fmt: skip


def test_an_address_in_brackets_can_have_a_rule(tmp_path: Path) -> None:
    rules = HostRules([HostRule(hosts=("[::1]",), source="x")], default=HostRule())
    assert [rules.of(host).source for host in ("[::1]", "[::1]:8080", "[::2]")] == ["x", "x", ""]


def test_what_a_rule_leaves_out_is_as_the_settings_say(tmp_path: Path) -> None:
    rule = rules_of(tmp_path, '[[rule]]\nhosts = ["A.org"]\nmbit_per_s = 5\n').of("a.org")
    assert rule == HostRule(("a.org",), concurrency=3, rate_per_s=7.0, mbit_per_s=5.0)


def test_a_table_is_laid_over_the_one_that_is_shipped(tmp_path: Path) -> None:
    shipped = HostRules.read(settings=SETTINGS)
    text = '[[rule]]\nhosts = ["a.org", "*.ggpht.com"]\nconcurrency = 9\n'
    rules = rules_of(tmp_path, text)
    assert rules.of("a.org").concurrency == rules.of("lh3.ggpht.com").concurrency == 9
    assert rules.of("lh3.ggpht.com").smaller is None
    for host in ("upload.wikimedia.org", "en.wikipedia.org", "lh3.googleusercontent.com"):
        assert rules.of(host) == rules_of(tmp_path, "").of(host) == shipped.of(host)


def test_the_shipped_table_is_a_table_that_can_be_given(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, shipped_table())
    assert rules.of("upload.wikimedia.org").contact_required


def test_all_faults_of_a_table_are_told_together(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        'version = 1\n[[rule]]\nhosts = ["a.org"]\nconcurency = 2\nrate_per_s = 0\n'
        '[[rule]]\nconcurrency = true\nsmaller = { kind = "wikimedia" }\n',
    )
    assert "has 6 faults" in said
    for part in (
        "unknown part 'version'",
        "rule 1: unknown key 'concurency' (did you mean concurrency?)",
        "rule 1: rate_per_s is 0; a number above 0 was expected",
        "rule 2: concurrency is True; a whole number from 1 to 256 was expected",
        "rule 2: smaller is",
        "rule 2: hosts is missing",
    ):
        assert part in said


@pytest.mark.parametrize(
    "wrong",
    [
        'hosts = []', 'hosts = "a.org"', 'hosts = ["http://a.org"]', 'hosts = ["a.org:80"]',
        'hosts = ["ä.org"]',
        'hosts = ["*"]', 'hosts = ["a.*.org"]', 'hosts = [""]', 'hosts = ["*.*.org"]',
        'hosts = ["a"]\nconcurrency = 0', 'hosts = ["a"]\nconcurrency = 257',
        'hosts = ["a"]\nrate_per_s = inf', 'hosts = ["a"]\nrate_per_s = "1"',
        'hosts = ["a"]\nmbit_per_s = -1', 'hosts = ["a"]\nmbit_per_s = nan',
        'hosts = ["a"]\ncontact_required = 1', 'hosts = ["a"]\nsource = 1',
        'hosts = ["a"]\nsmaller = "google"', 'hosts = ["a"]\nsmaller = { kind = "bing" }',
        'hosts = ["a"]\nsmaller = { kind = "google", widths = [1] }',
        'hosts = ["a"]\nsmaller = { kind = "wikimedia", widths = [0] }',
        'hosts = ["a"]\nsmaller = { kind = "wikimedia", width = [20] }',
        'hosts = ["a"]\nsmaller = { kind = ["google"] }',
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_a_fault(tmp_path: Path, wrong: str) -> None:
    assert "has 1 fault:" in told(tmp_path, f"[[rule]]\n{wrong}\n")


def test_a_host_in_two_places_is_a_fault(tmp_path: Path) -> None:
    said = told(tmp_path, '[[rule]]\nhosts = ["a.org"]\n[[rule]]\nhosts = ["A.org"]\n')
    assert "host 'a.org' stands in two places; one was expected" in said


@pytest.mark.parametrize("text", ["rule = 1", '[rule]\nhosts = ["a"]', "rule = [1]"])
def test_rules_that_are_no_list_of_tables_are_a_fault(tmp_path: Path, text: str) -> None:
    assert "each rule begins with a line [[rule]]" in told(tmp_path, text)


def test_a_table_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    assert "is not TOML" in told(tmp_path, "[[rule")
    with pytest.raises(InputError, match="start from Cairn's own: cairn download --show-hosts"):
        HostRules.read(tmp_path / "none.toml", settings=SETTINGS)
