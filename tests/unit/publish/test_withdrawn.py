"""`publish.withdrawn`: releases that are not served any more."""

from pathlib import Path

import pytest

from pipeline.model.errors import RecipeError
from pipeline.publish import withdrawn


def write(checkout: Path, row: str) -> None:
    """Withdraws a release."""
    file = checkout / "recipes" / "withdrawn.toml"
    file.write_text(f"{file.read_text()}{row}\n")


def test_all_packages_of_a_release_are_left_out(checkout: Path) -> None:
    """Of every dist and kind; another release of the same version is served."""
    write(checkout, '"3.4.3-1" = "why"')
    kinds = ("", "-nginx", "-tools", "-secure", "-debuginfo")
    names = [f"mimalloc-custom{kind}-3.4.3-{{}}.el8.x86_64.rpm" for kind in kinds]
    names.append("mimalloc-custom-3.4.3-{}.el9.src.rpm")
    files = {name: Path(name) for text in names for name in (text.format(1), text.format(2))}

    served = withdrawn.without(files, withdrawn.read(checkout))

    assert {name.format(2) for name in names} == set(served)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('"3.4.3" = "why"', "release: expected version-release such as 3.4.3-1, got '3.4.3'"),
        ('"3.4.3-1.el8" = "why"', "release: expected version-release"),
        ('"3.4.3-1" = " "', "release.3.4.3-1: expected the reason"),
    ],
)
def test_a_row_that_would_withdraw_nothing_is_refused(checkout: Path, row: str, fault: str) -> None:
    """Or that says nothing to those who look."""
    write(checkout, row)

    with pytest.raises(RecipeError) as caught:
        withdrawn.read(checkout)

    assert fault in caught.value.detail
