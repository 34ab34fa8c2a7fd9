"""Texts from the templates of a room: C, C++, Verilog, Python, Tcl."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jinja2


def rendered(
    room: str, template: str, context: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    """The file `template` in the folder `templates` of `emamba.ROOM`, filled in; a name without a value is an error.

    Lines that only hold a statement of the template leave nothing behind.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(f"emamba.{room}"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= filters or {}
    return environment.get_template(template).render(context)
