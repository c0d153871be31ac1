"""Fill in templates: specs, drop-ins, pages, settings. Every variable must have a value."""

from pathlib import Path


def fill(template: Path, **values: object) -> str:
    """The text of a template; in one of HTML, values are escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=".html." in template.name,
    )
    environment.filters["kib"] = lambda size: f"{size / 1024:,.0f} KiB"
    return environment.get_template(template.name).render(**values)
