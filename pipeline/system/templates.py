"""Fill in templates: specs, drop-ins, pages, settings. Every variable must have a value."""

from functools import cache
from pathlib import Path
from typing import Any


def fill(template: Path, **values: object) -> str:
    """The text of a template; in one of HTML, values are escaped."""
    environment = _environment(template.parent, escape=".html." in template.name)
    text: str = environment.get_template(template.name).render(**values)
    return text


@cache
def _environment(folder: Path, *, escape: bool) -> Any:
    """It compiles each template of a folder once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=escape,
    )
    environment.filters["kib"] = lambda size: f"{size / 1024:,.0f} KiB"
    return environment
