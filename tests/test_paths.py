from __future__ import annotations

from pathlib import Path

import pytest

from hypactors.paths import HypHome, slug


def test_the_home_is_what_the_environment_names_else_under_the_users_home() -> None:
    assert HypHome.from_environ({"HYP_HOME": "/data/hyp"}).root == Path("/data/hyp")
    assert HypHome.from_environ({"HOME": "/home/dev"}).root == Path("/home/dev/.hyp")
    assert HypHome.from_environ({"HYP_HOME": "", "HOME": "/home/dev"}).root == Path(
        "/home/dev/.hyp"
    )


def test_a_relative_home_is_made_absolute() -> None:
    assert HypHome.from_environ({"HYP_HOME": "some/where"}).root == Path.cwd() / "some/where"


def test_the_local_config_is_what_the_environment_names_else_in_the_home() -> None:
    home = HypHome(Path("/h"))
    assert home.local_config({}) == Path("/h/hypaware-config.json")
    assert home.local_config({"HYP_CONFIG": ""}) == Path("/h/hypaware-config.json")
    assert home.local_config({"HYP_CONFIG": "/etc/hyp.json"}) == Path("/etc/hyp.json")


@pytest.mark.parametrize(
    ("provider", "folder"),
    [("claude", "claude"), ("My Provider/2", "_y__rovider_2"), ("../x", ".._x"), ("é", "_")],
)
def test_a_providers_folder_holds_no_character_that_means_something(
    provider: str, folder: str
) -> None:
    assert slug(provider) == folder
