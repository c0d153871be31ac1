"""`dropin`: which names of units it takes, and what it prints."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.model import Selection
from pipeline.model.errors import RequestError
from pipeline.service import dropin

Print = Callable[[str], str]


@pytest.fixture
def printed(project: Path, capsys: pytest.CaptureFixture[str]) -> Print:
    """Prints the drop-in of a unit on 3.4.3."""

    def run(unit: str) -> str:
        dropin.run(project, unit, Selection(version="3.4.3"))
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("nginx", "nginx.service"),
        ("nginx.service", "nginx.service"),
        ("php8.2-fpm", "php8.2-fpm.service"),
        ("postgresql-9.6", "postgresql-9.6.service"),
        ("a.b.service", "a.b.service"),
        ("foo.Socket", "foo.Socket.service"),
        ("service", "service.service"),
        ("foo@", "foo@.service"),
        ("foo@.service", "foo@.service"),
        ("foo@bar", "foo@bar.service"),
        ("foo@bar.service", "foo@bar.service"),
        ("foo@1.2", "foo@1.2.service"),
        (r"a\x20b:_-", r"a\x20b:_-.service"),
        ("a" * 247, "a" * 247 + ".service"),
    ],
)
def test_a_unit_has_the_name_that_systemctl_gives_it(printed: Print, unit: str, name: str) -> None:
    """Only the suffix of a type of unit counts as one; templates and instances are services."""
    assert printed(unit).startswith(f"# {name} on the allocator libmimalloc.so. ")


@pytest.mark.parametrize(
    "unit", ["", ".service", "@bar", "@.service", "a/b", "a b.service", "ä", "a\n", "a" * 248]
)
def test_what_is_no_name_of_a_unit_is_refused(printed: Print, unit: str) -> None:
    """systemd takes none of these; it would escape some of them first."""
    with pytest.raises(RequestError, match="the name of a service"):
        printed(unit)


@pytest.mark.parametrize(
    "kind", "socket device mount automount swap target path timer slice scope".split()
)
def test_another_type_of_unit_is_refused(printed: Print, kind: str) -> None:
    """And the message has the whole name."""
    with pytest.raises(RequestError, match="the name of a service") as caught:
        printed(f"php8.2-fpm.{kind}")

    assert f"php8.2-fpm.{kind}" == caught.value.got


def test_the_drop_in_is_all_that_is_printed(printed: Print) -> None:
    """So that the output can be the file."""
    output = printed("php8.2-fpm")

    assert output.startswith("# php8.2-fpm.service on the allocator libmimalloc.so. Of two")
    assert output.endswith(
        "[Service]\nEnvironment=LD_PRELOAD=/usr/local/nginx-dep/lib64/libmimalloc.so\n"
    )


@pytest.mark.parametrize("unit", ["php-fpm", "php8.2-fpm.service", "php83-php-fpm", "php-fpm@a"])
def test_php_has_a_warning(project: Path, capsys: pytest.CaptureFixture[str], unit: str) -> None:
    """It is on the error output, and names the dists where PHP crashes."""
    dropin.run(project, unit, Selection(version="3.4.3"))

    output, errors = capsys.readouterr()
    assert "PHP" not in output
    assert errors.startswith("On EL9 and later, PHP before 8.5 crashes on a preloaded allocator")
    assert "docs/administrator.md" in errors


@pytest.mark.parametrize("unit", ["nginx", "php", "fpm", "my-php-fpm"])
def test_other_services_have_none(
    project: Path, capsys: pytest.CaptureFixture[str], unit: str
) -> None:
    """Nothing is on their error output."""
    dropin.run(project, unit, Selection(version="3.4.3"))

    assert "" == capsys.readouterr().err
